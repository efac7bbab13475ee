"""Tables of the rights to open. `person_id`, `place_id` and `house_id` name business rows."""

from tortoise import fields
from tortoise.models import Model

from foundation.ids import new_id


class RemoteGrant(Model):
    """A person may open, from afar, every station at one place, in the name of one house.

    Written by `business_api`. Kept by place and not by station: a new station at the place
    is covered at once, and who may open a station is one join (`Device.place_id`).
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    person_id = fields.UUIDField()
    place_id = fields.UUIDField(db_index=True)
    house_id = fields.UUIDField(null=True, db_index=True)
    valid_from = fields.DatetimeField(null=True)
    valid_to = fields.DatetimeField(null=True)

    class Meta:
        table = "registry_remote_grant"
        unique_together = (("person_id", "place_id", "house_id"),)


class RemoteSuspension(Model):
    """This person opens nothing from afar: for security only, never for a debt (R8).

    Apart from the grants, which are replaced whole: a new grant does not lift it.
    """

    person_id = fields.UUIDField(primary_key=True)
    since = fields.DatetimeField()

    class Meta:
        table = "registry_remote_suspension"
