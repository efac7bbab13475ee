"""What can go wrong with organisations. One that is out of sight does not exist."""

from foundation.errors import DomainError, Kind


class NoSuchOperator(DomainError):
    """There is no such operator, or none the actor may know of."""

    kind, code, title = Kind.NOT_FOUND, "no-such-operator", "There is no such operator"
    title_zh = "运营公司不存在"


class NoSuchCompany(DomainError):
    """There is no such property company, or none the actor may know of."""

    kind, code, title = Kind.NOT_FOUND, "no-such-company", "There is no such property company"
    title_zh = "物业公司不存在"


class NoSuchCommunity(DomainError):
    """There is no such community, or none the actor may know of."""

    kind, code, title = Kind.NOT_FOUND, "no-such-community", "There is no such community"
    title_zh = "小区不存在"


class NameTaken(DomainError):
    """Another one at the same level has this name."""

    kind, code, title = Kind.CONFLICT, "name-taken", "The name is taken"
    title_zh = "名称已被使用"


class BadRegion(DomainError):
    """No community lies there: the code is unknown, or districts lie below it."""

    kind, code, title = Kind.INVALID, "bad-region", "Choose a district"
    title_zh = "请选择到区县"


class NoSuchRegion(DomainError):
    """There is no province, city or district with this code."""

    kind, code, title = Kind.NOT_FOUND, "no-such-region", "There is no such region"
    title_zh = "行政区划不存在"
