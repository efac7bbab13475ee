"""Who is asking: the result of authentication, and nothing else."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class AccountKind(StrEnum):
    """What an account may do, for now."""

    COMMUNITY_ADMIN = "community_admin"
    RESIDENT = "resident"


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in account. Its scope comes from here, never from a path or a body."""

    account_id: UUID
    kind: AccountKind
    community_id: UUID
    session_id: UUID
    name: str

    @property
    def audit(self) -> str:
        """The actor as the audit chain names it."""
        return f"account/{self.account_id}"
