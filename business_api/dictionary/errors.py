"""What can go wrong with the data dictionary."""

from foundation.errors import DomainError, Kind


class NoSuchDictType(DomainError):
    """There is no such list."""

    kind, code, title = Kind.NOT_FOUND, "no-such-dict-type", "There is no such list"
    title_zh = "字典类型不存在"


class NoSuchDictItem(DomainError):
    """There is no such word, or none the actor may know of."""

    kind, code, title = Kind.NOT_FOUND, "no-such-dict-item", "There is no such entry"
    title_zh = "字典项不存在"


class DictCodeTaken(DomainError):
    """Another one beside it has this code."""

    kind, code, title = Kind.CONFLICT, "dict-code-taken", "The code is taken"
    title_zh = "编码已被使用"


class DictTypeInUse(DomainError):
    """The product asks for this list, or it still holds words."""

    kind, code, title = Kind.CONFLICT, "dict-type-in-use", "The list is in use"
    title_zh = "字典类型正在使用，不能删除"


class DictTypeFull(DomainError):
    """A list is something to choose from; this one is long enough."""

    kind, code, title = Kind.CONFLICT, "dict-type-full", "The list is full"
    title_zh = "字典项数量已达上限"
