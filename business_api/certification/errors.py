"""What can go wrong with certifications. One that is out of sight does not exist."""

from foundation.errors import DomainError, Kind


class NoSuchCertification(DomainError):
    """There is no such application, or none the actor may know of."""

    kind, code, title = Kind.NOT_FOUND, "no-such-certification", "There is no such application"
    title_zh = "认证申请不存在"


class OwnMatter(DomainError):
    """Nobody reviews an application of its own, or one for the house it lives in."""

    kind, code, title = Kind.FORBIDDEN, "own-matter", "Somebody else has to review this"
    title_zh = "不能审核与本人有关的申请"


class AlreadyApplied(DomainError):
    """The account's application for this house is not decided yet."""

    kind, code, title = Kind.CONFLICT, "already-applied", "An application for it is open already"
    title_zh = "该房屋已有未完成的认证申请"


class AlreadyResident(DomainError):
    """The account lives there already, in this role or as the owner."""

    kind, code, title = Kind.CONFLICT, "already-resident", "You live there already"
    title_zh = "您已是该房屋的住户"


class TooManyApplications(DomainError):
    """So many in a day, or open at a time, that it is not a search for one's own house."""

    kind, code, title = Kind.TOO_MANY, "too-many-applications", "Too many applications"
    title_zh = "认证申请次数过多，请稍后再试"


class PhoneNeeded(DomainError):
    """The account has no mobile number of its own, proved by a code, to be known by."""

    kind, code, title = Kind.INVALID, "phone-needed", "The account needs a mobile number first"
    title_zh = "请先绑定手机号"


class IdNeeded(DomainError):
    """An owner shows who it is."""

    kind, code, title = Kind.INVALID, "id-number-needed", "An owner's ID number is needed"
    title_zh = "申请业主认证需填写证件号码"


class NoSuchOwner(DomainError):
    """No owner of this house whom a code could be sent to; ask for the list again."""

    kind, code, title = Kind.NOT_FOUND, "no-such-owner", "The house has no such owner"
    title_zh = "找不到该业主"


class OwnerNeeded(DomainError):
    """The house has several owners: choose one."""

    kind, code, title = Kind.INVALID, "owner-needed", "Choose which owner is asked"
    title_zh = "请选择要确认的业主"


class CodesUsedUp(DomainError):
    """No more codes are sent for this application."""

    kind, code, title = Kind.CONFLICT, "codes-used-up", "No more codes are sent for it"
    title_zh = "该申请的验证码发送次数已用完"


class OwnerAskedEnough(DomainError):
    """This owner was sent as many codes as one should be for now, whoever asked."""

    kind, code = Kind.TOO_MANY, "owner-asked-enough"
    title, title_zh = (
        "The owner was asked often enough, try later",
        "该业主被请求过于频繁，请稍后再试",
    )
