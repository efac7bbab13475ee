"""Where a row is in the tenant tree: the columns every row of a community carries."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from tortoise import fields
from tortoise.models import Model

from business_api.authz.scope import ScopeType, Site

COLUMNS: Final[Mapping[ScopeType, str]] = {
    ScopeType.OPERATOR: "operator_id",
    ScopeType.COMPANY: "company_id",
    ScopeType.COMMUNITY: "community_id",
}
"""For `Actor.within`."""


class InCommunity(Model):
    """A row of one community. The three ids are copied from it (`place`), and never change.

    A table whose rows lie deeper in the tree overrides `SCOPES` and `site`.
    """

    SCOPES: ClassVar[Mapping[ScopeType, str]] = COLUMNS

    operator_id = fields.UUIDField()
    company_id = fields.UUIDField()
    community_id = fields.UUIDField(db_index=True)

    class Meta:
        abstract = True

    @property
    def site(self) -> Site:
        """For decisions."""
        return Site(self.operator_id, self.company_id, self.community_id)


def place(site: Site) -> dict[str, Any]:
    """The three columns of a row in the community of `site`."""
    return {name: site.at(level) for level, name in COLUMNS.items()}
