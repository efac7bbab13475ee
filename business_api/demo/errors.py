"""What keeps the demo from being made."""

from foundation.errors import DomainError, Kind


class NotADemo(DomainError):
    """The database is somebody's own: demo accounts have no place in it."""

    kind, code, title = Kind.CONFLICT, "not-a-demo", "This is not a demo database"
    title_zh = "此数据库不是演示数据库"


class NoDemo(DomainError):
    """The demo has not been loaded, or somebody has changed its places."""

    kind, code, title = Kind.NOT_FOUND, "no-demo", "The demo data is not there"
    title_zh = "没有演示数据"


class NotConfirmed(DomainError):
    """Some station did not show its number in time."""

    kind, code, title = Kind.UNAVAILABLE, "demo-not-confirmed", "A demo station did not come"
    title_zh = "演示设备未在规定时间内出现"
