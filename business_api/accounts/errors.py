"""What can go wrong with accounts and roles. An account out of sight does not exist."""

from foundation.errors import DomainError, Kind


class UsernameTaken(DomainError):
    """Another account has this username."""

    kind, code, title = Kind.CONFLICT, "username-taken", "The username is taken"
    title_zh = "用户名已被使用"


class BadUsername(DomainError):
    """Letters, digits and . @ + - _ only; 2 to 64 of them."""

    kind, code, title = Kind.INVALID, "bad-username", "This cannot be a username"
    title_zh = "用户名格式不正确"


class NoSuchAccount(DomainError):
    """There is no such account, or none the actor may know of."""

    kind, code, title = Kind.NOT_FOUND, "no-such-account", "There is no such account"
    title_zh = "账号不存在"


class WrongPassword(DomainError):
    """The current password was asked for and is wrong."""

    kind, code, title = Kind.FORBIDDEN, "wrong-password", "The current password is wrong"
    title_zh = "当前密码不正确"


class MayNotManage(DomainError):
    """The account holds a role that the actor could not give there: it is not the actor's."""

    kind, code, title = Kind.FORBIDDEN, "may-not-manage", "This account is not yours to manage"
    title_zh = "无权管理该账号"


class ResidentsAccount(DomainError):
    """The account is that of a resident too: its role can be taken, but it stays its own."""

    kind, code = Kind.FORBIDDEN, "residents-account"
    title, title_zh = "The account belongs to a resident", "该账号属于住户，只能撤销其角色"


class NotYourself(DomainError):
    """Nobody gives to, takes from or shuts out the own account."""

    kind, code, title = Kind.FORBIDDEN, "not-yourself", "Somebody else has to do that for you"
    title_zh = "不能对自己的账号执行此操作"


class MayNotGive(DomainError):
    """The actor's own role does not let it give or take this role there."""

    kind, code, title = Kind.FORBIDDEN, "may-not-give", "This role is not yours to give or take"
    title_zh = "无权授予或撤销该角色"


class FirstPasswordPending(DomainError):
    """Somebody else knows the account's password, who may not be meant to have the role.

    Its owner signs in and changes it first; or whoever gives the role sets a new one before.
    """

    kind, code = Kind.CONFLICT, "first-password-pending"
    title = "Somebody else knows its password: it has to be changed, or reset by you, first"
    title_zh = "该账号仍在使用他人设置的初始密码，请先由本人修改或由您重置密码"


class BadScope(DomainError):
    """The role cannot be held at such a place, e.g. a community admin of a building."""

    kind, code, title = Kind.INVALID, "bad-scope", "This role cannot be held there"
    title_zh = "该角色不适用于此范围"


class BadTerm(DomainError):
    """The role would end before it begins, or has ended already."""

    kind, code, title = Kind.INVALID, "bad-term", "The role would end before it begins"
    title_zh = "有效期不正确"


class OnePlace(DomainError):
    """A role is held at one place: name one of operator, company, community, building."""

    kind, code, title = Kind.INVALID, "one-place", "Name exactly one place"
    title_zh = "只能指定一个范围"


class NoSuchGrant(DomainError):
    """There is no such role held, or none the actor may know of, or it has ended."""

    kind, code, title = Kind.NOT_FOUND, "no-such-grant", "There is no such role held"
    title_zh = "授权不存在"


class LastSuperAdmin(DomainError):
    """Without a super admin nobody could make an operator any more."""

    kind, code, title = Kind.CONFLICT, "last-super-admin", "This is the last super admin"
    title_zh = "这是最后一个超级管理员"
