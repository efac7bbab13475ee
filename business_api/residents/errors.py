"""What can go wrong with living somewhere."""

from foundation.errors import DomainError, Kind


class NoSuchOccupancy(DomainError):
    """Nobody lives there under this id, or nobody the actor may know of."""

    kind, code, title = Kind.NOT_FOUND, "no-such-occupancy", "Nobody lives there like that"
    title_zh = "入住记录不存在"


class ResidentThere(DomainError):
    """The person lives in this house already."""

    kind, code, title = Kind.CONFLICT, "resident-there", "This person lives there already"
    title_zh = "该住户已在此房屋中"


class BadValidity(DomainError):
    """It must end after it begins, not be over already, and stay within reason."""

    kind, code, title = Kind.INVALID, "bad-validity", "These times cannot be"
    title_zh = "起止时间不正确"


class OccupancyEnded(DomainError):
    """It is over: nothing of it changes any more."""

    kind, code, title = Kind.CONFLICT, "occupancy-ended", "This person has moved out"
    title_zh = "该住户已迁出"


class NobodyThere(DomainError):
    """Nobody lives there, and nobody did."""

    kind, code, title = Kind.CONFLICT, "nobody-there", "Nobody lives there"
    title_zh = "该房屋没有住户"


class WrongCallOrder(DomainError):
    """The order must name everybody who lives there, once."""

    kind, code, title = Kind.CONFLICT, "wrong-call-order", "Name everybody of the house once"
    title_zh = "呼叫顺序须包含该房屋全部住户，且不重复"


class StillLivesHere(DomainError):
    """Somebody who lives in the community cannot be erased from it."""

    kind, code, title = Kind.CONFLICT, "still-lives-here", "This person still lives here"
    title_zh = "该人员仍是住户，请先迁出"
