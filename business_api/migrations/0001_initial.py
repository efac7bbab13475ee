from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from business_api.actors import AccountKind
from foundation.ids import new_id
from json import dumps, loads
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name='Account',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ('username', fields.CharField(unique=True, max_length=64)),
                ('password_hash', fields.CharField(max_length=200)),
                ('kind', fields.CharEnumField(description='COMMUNITY_ADMIN: community_admin\nRESIDENT: resident', enum_type=AccountKind, max_length=20)),
                ('name', fields.CharField(max_length=80)),
                ('community_id', fields.UUIDField(db_index=True)),
                ('disabled_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'business_account', 'app': 'business', 'pk_attr': 'id', 'table_description': 'A sign-in. `community_id` is the whole scope of both kinds.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Community',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ('name', fields.CharField(max_length=80)),
            ],
            options={'table': 'business_community', 'app': 'business', 'pk_attr': 'id', 'table_description': '小区: the unit of management, and the widest scope of an account for now.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Building',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ('community', fields.ForeignKeyField('business.Community', source_field='community_id', db_constraint=True, to_field='id', related_name='buildings', on_delete=OnDelete.CASCADE)),
                ('code', fields.CharField(max_length=8)),
                ('name', fields.CharField(max_length=40)),
                ('has_units', fields.BooleanField(default=True)),
                ('version', fields.IntField(default=1)),
            ],
            options={'table': 'business_building', 'app': 'business', 'unique_together': (('community', 'code'),), 'pk_attr': 'id', 'table_description': '楼栋. Without units, houses hang on it directly (BR3).'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='IdempotencyRecord',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ('actor_id', fields.UUIDField()),
                ('route', fields.CharField(max_length=120)),
                ('key', fields.CharField(max_length=80)),
                ('request_hash', fields.CharField(max_length=64)),
                ('status', fields.IntField(null=True)),
                ('response', fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('created_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'business_idempotency_record', 'app': 'business', 'unique_together': (('actor_id', 'route', 'key'),), 'pk_attr': 'id', 'table_description': 'The answer once given to (actor, route, key); a repeated request gets it again.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='LoginFailure',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ('who', fields.CharField(max_length=64)),
                ('address', fields.CharField(max_length=64)),
                ('at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'business_login_failure', 'app': 'business', 'indexes': [Index(fields=['who', 'at']), Index(fields=['address', 'at'])], 'pk_attr': 'id', 'table_description': 'A try to sign in that has not succeeded; deleted when it does.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='SignInSession',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('business.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='sessions', on_delete=OnDelete.CASCADE)),
                ('token_hash', fields.CharField(max_length=64)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('refreshed_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('expires_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('ended_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('end_reason', fields.CharField(default='', max_length=20)),
                ('address', fields.CharField(default='', max_length=64)),
                ('agent', fields.CharField(default='', max_length=200)),
            ],
            options={'table': 'business_sign_in_session', 'app': 'business', 'indexes': [Index(fields=['account_id', 'ended_at', 'created_at'])], 'pk_attr': 'id', 'table_description': 'One sign-in, from the password to the sign-out.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Unit',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ('building', fields.ForeignKeyField('business.Building', source_field='building_id', db_constraint=True, to_field='id', related_name='units', on_delete=OnDelete.CASCADE)),
                ('code', fields.CharField(max_length=8)),
            ],
            options={'table': 'business_unit', 'app': 'business', 'unique_together': (('building', 'code'),), 'pk_attr': 'id', 'table_description': '单元: a stairwell with a door of its own.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='House',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ('community', fields.ForeignKeyField('business.Community', source_field='community_id', db_constraint=True, to_field='id', related_name='houses', on_delete=OnDelete.CASCADE)),
                ('building', fields.ForeignKeyField('business.Building', source_field='building_id', db_constraint=True, to_field='id', related_name='houses', on_delete=OnDelete.CASCADE)),
                ('unit', fields.ForeignKeyField('business.Unit', source_field='unit_id', null=True, db_constraint=True, to_field='id', related_name='houses', on_delete=OnDelete.CASCADE)),
                ('parent_id', fields.UUIDField()),
                ('code', fields.CharField(max_length=8)),
                ('version', fields.IntField(default=1)),
            ],
            options={'table': 'business_house', 'app': 'business', 'unique_together': (('parent_id', 'code'),), 'pk_attr': 'id', 'table_description': '房屋: a dwelling; `code` is floor and room, e.g. 0101.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Residence',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ('house', fields.ForeignKeyField('business.House', source_field='house_id', db_constraint=True, to_field='id', related_name='residences', on_delete=OnDelete.CASCADE)),
                ('account_id', fields.UUIDField(db_index=True)),
            ],
            options={'table': 'business_residence', 'app': 'business', 'unique_together': (('house', 'account_id'),), 'pk_attr': 'id', 'table_description': 'An account lives in a house: the reason for its rights to open.'},
            bases=['Model'],
        ),
    ]
