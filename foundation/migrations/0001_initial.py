from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from foundation.ids import new_id
from json import dumps, loads
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name='AuditEvent',
            fields=[
                ('seq', fields.BigIntField(primary_key=True, unique=True, db_index=True, generated=False)),
                ('at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('actor', fields.CharField(max_length=80)),
                ('action', fields.CharField(db_index=True, max_length=60)),
                ('object', fields.CharField(db_index=True, max_length=120)),
                ('operator_id', fields.UUIDField(null=True, db_index=True)),
                ('company_id', fields.UUIDField(null=True, db_index=True)),
                ('community_id', fields.UUIDField(null=True, db_index=True)),
                ('facts', fields.JSONField(encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('prev_hash', fields.CharField(max_length=64)),
                ('hash', fields.CharField(max_length=64)),
            ],
            options={'table': 'audit_event', 'app': 'foundation', 'pk_attr': 'seq', 'table_description': 'One line of the hash chain: `hash` covers the line and `prev_hash`. Append-only.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Condition',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ('kind', fields.CharField(max_length=40)),
                ('subject', fields.CharField(max_length=80)),
                ('community_id', fields.UUIDField(null=True)),
                ('detail', fields.CharField(default='', max_length=300)),
                ('since', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('cleared_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'condition', 'app': 'foundation', 'unique_together': (('kind', 'subject'),), 'indexes': [Index(fields=['cleared_at', 'community_id'])], 'pk_attr': 'id', 'table_description': 'Something is wrong now: one row per (kind, subject) that was ever wrong.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Job',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ('kind', fields.CharField(max_length=60)),
                ('key', fields.CharField(null=True, max_length=120)),
                ('slot', fields.CharField(null=True, unique=True, max_length=181)),
                ('again', fields.BooleanField(default=False)),
                ('payload', fields.JSONField(encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('due_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('leased_until', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('lease', fields.UUIDField(null=True)),
                ('attempts', fields.IntField(default=0)),
                ('error', fields.CharField(default='', max_length=300)),
                ('done_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('failed_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'job', 'app': 'foundation', 'indexes': [Index(fields=['done_at', 'failed_at', 'due_at'])], 'pk_attr': 'id', 'table_description': 'Work to be done once, at or after `due_at`, by whoever leases it (`foundation.jobs`).'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='OutboxMessage',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ('topic', fields.CharField(max_length=60)),
                ('key', fields.CharField(max_length=120)),
                ('payload', fields.JSONField(encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('attempts', fields.IntField(default=0)),
                ('next_try', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('error', fields.CharField(default='', max_length=300)),
                ('dead_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'outbox_message', 'app': 'foundation', 'indexes': [Index(fields=['dead_at', 'next_try'])], 'pk_attr': 'id', 'table_description': 'Something to tell the outside world, written with the fact that causes it.'},
            bases=['Model'],
        ),
    ]
