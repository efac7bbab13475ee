"""What files belong to, and who may see them for it."""

from collections.abc import Collection, Sequence
from uuid import UUID

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.authz.scope import Site
from business_api.files.errors import NoSuchFile
from business_api.files.models import StoredFile


async def attach(
    actor: Actor, file_ids: Collection[UUID], *, to: str, site: Site, view: Permission
) -> None:
    """Make files that the actor sent part of something. In the caller's transaction.

    Two statements, and one for each file.

    Args:
        actor: who sent them.
        file_ids: in the order to show them.
        to: `{noun}/{id}` of the thing.
        site: where it is.
        view: the permission that shows them there.

    Raises:
        NoSuchFile: one is not the actor's, or belongs to something already.
    """
    wanted = list(dict.fromkeys(file_ids))
    if not wanted:
        return
    place = await StoredFile.filter(attached_to=to).count()
    changed = await StoredFile.filter(
        id__in=wanted, account_id=actor.account_id, attached_to=None
    ).update(
        attached_to=to,
        view=view.value,
        operator_id=site.operator_id,
        company_id=site.company_id,
        community_id=site.community_id,
        building_id=site.building_id,
        house_id=site.house_id,
    )
    if changed != len(wanted):
        raise NoSuchFile
    for number, file_id in enumerate(wanted, place):
        await StoredFile.filter(id=file_id).update(place=number)


async def detach(of_things: Collection[str]) -> None:
    """Part files from things that are forgotten: `uploads.forget_unused` deletes them soon.

    Nobody but who sent them sees them meanwhile. One statement, in the caller's transaction.
    """
    await StoredFile.filter(attached_to__in=list(of_things)).update(attached_to=None, view="")


async def of(to: str) -> Sequence[StoredFile]:
    """The files of a thing, in their order. One statement; the caller has asked for rights."""
    return await StoredFile.filter(attached_to=to).order_by("place", "id")


async def find(actor: Actor, file_id: UUID) -> StoredFile:
    """A file that the actor sent, or may see for what it belongs to. One statement.

    Raises:
        NoSuchFile: there is none, or none it may see.
    """
    found = await StoredFile.get_or_none(id=file_id)
    if found is None:
        raise NoSuchFile
    if found.account_id == actor.account_id:
        return found
    if not found.view or not actor.may(Permission(found.view), found.site):
        raise NoSuchFile
    return found
