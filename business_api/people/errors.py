"""What can go wrong with persons. One that is out of sight does not exist."""

from foundation.errors import DomainError, Kind


class NoSuchPerson(DomainError):
    """There is no such person, or none the actor may know of."""

    kind, code, title = Kind.NOT_FOUND, "no-such-person", "There is no such person"
    title_zh = "人员不存在"


class PersonErased(DomainError):
    """The person's data has been destroyed; it stays so."""

    kind, code, title = Kind.CONFLICT, "person-erased", "This person's data has been erased"
    title_zh = "该人员的个人信息已删除"


class BadIdNumber(DomainError):
    """A document of this kind cannot have this number. The number is never repeated."""

    kind, code, title = Kind.INVALID, "bad-id-number", "Not a number of such a document"
    title_zh = "证件号码不正确"


class IdTypeNeeded(DomainError):
    """A document's number says nothing without its kind, and the kind nothing without it."""

    kind, code, title = (
        Kind.INVALID,
        "id-type-needed",
        "Kind and number belong together",
    )
    title_zh = "证件类型和证件号码须同时填写"


class ConsentNeeded(DomainError):
    """The person has to agree first, to the text that is in use now (PIPL, Art. 29)."""

    kind, code, title = Kind.INVALID, "consent-needed", "The person's consent is needed first"
    title_zh = "须先取得本人同意"


class NoSuchConsent(DomainError):
    """There is no such consent, or none the actor may know of."""

    kind, code, title = Kind.NOT_FOUND, "no-such-consent", "There is no such consent"
    title_zh = "同意记录不存在"


class TooManyReveals(DomainError):
    """This account has looked at as many people's data as it may for now."""

    kind, code, title = Kind.TOO_MANY, "too-many-reveals", "Too many personal data were shown"
    title_zh = "查看个人信息次数过多，请稍后再试"


class NothingToReveal(DomainError):
    """Nothing is kept there."""

    kind, code, title = Kind.NOT_FOUND, "nothing-to-reveal", "Nothing is kept there"
    title_zh = "没有可查看的信息"
