"""What can be allowed.

A permission is `{noun}.{verb}`. Whoever lacks `{noun}.view` at a place does not learn that
the thing exists (404); whoever has it and lacks the verb is refused (403).
"""

from enum import StrEnum


class Permission(StrEnum):
    """Everything the API asks about. Who holds which: `authz.roles`."""

    OPERATOR_VIEW = "operator.view"
    OPERATOR_MANAGE = "operator.manage"
    COMPANY_VIEW = "company.view"
    COMPANY_MANAGE = "company.manage"
    STATISTICS_VIEW = "statistics.view"
    COMMUNITY_VIEW = "community.view"
    COMMUNITY_MANAGE = "community.manage"
    ACCOUNT_VIEW = "account.view"
    ACCOUNT_MANAGE = "account.manage"
    DICTIONARY_VIEW = "dictionary.view"
    DICTIONARY_MANAGE = "dictionary.manage"
    PLACE_VIEW = "place.view"  # zones, buildings, units
    PLACE_MANAGE = "place.manage"
    HOUSE_VIEW = "house.view"
    HOUSE_MANAGE = "house.manage"
    RESIDENT_VIEW = "resident.view"  # who lives where, masked
    RESIDENT_MANAGE = "resident.manage"  # register, move in and out
    RESIDENT_END = "resident.end"  # staff anybody, an owner who is not one
    RESIDENT_REVEAL = "resident.reveal"  # a phone or ID number in clear, with a reason
    RESIDENT_ERASE = "resident.erase"
    CERTIFICATION_VIEW = "certification.view"
    CERTIFICATION_REVIEW = "certification.review"
    CERTIFICATION_REVOKE = "certification.revoke"
    STATION_VIEW = "station.view"
    STATION_MANAGE = "station.manage"
    CODE_VIEW = "code.view"  # 通讯码 and Bluetooth readers
    CODE_MANAGE = "code.manage"
    DOOR_VIEW = "door.view"
    DOOR_OPEN = "door.open"
    OPENING_VIEW = "opening.view"
    OPENING_EXPORT = "opening.export"
    IMPORT_VIEW = "import.view"
    IMPORT_RUN = "import.run"
    AUDIT_VIEW = "audit.view"
    AUDIT_EXPORT = "audit.export"

    @property
    def view(self) -> "Permission":
        """The permission to know that the thing exists."""
        return Permission(f"{self.value.split('.', 1)[0]}.view")
