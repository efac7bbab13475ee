"""批量添加 of staff accounts from Excel (F3): one kind for each level that gives roles.

Each row is an account with one role; its password is made up, sealed, and fetched once by
whoever sent the workbook (`first_passwords`). Who sends it may give only what it may give
one by one, asked anew for every chunk: a role lost meanwhile ends it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from business_api import phones
from business_api.accounts import first_passwords, passwords, private, roles, staff
from business_api.accounts.errors import BadUsername
from business_api.accounts.models import Account, RoleGrant
from business_api.authz import decide
from business_api.authz.permissions import Permission
from business_api.authz.roles import Role
from business_api.authz.scope import ScopeType, Site
from business_api.imports import cells
from business_api.imports.kinds import (
    BadCell,
    Batch,
    Column,
    Finding,
    ImportKind,
    Outcome,
    Reason,
    Row,
    Words,
)
from business_api.organisations.models import Community, PropertyCompany
from business_api.tenancy import place
from foundation import audit
from foundation.ids import new_id

BAD_USERNAME: Final = Reason(
    "bad-username",
    "只能包含字母、数字和 . @ + - _，2 到 64 个字符，且不能是电话号码",
    "may have letters, digits and . @ + - _ only, 2 to 64 of them, and is no phone number",
)
BAD_PHONE: Final = Reason("bad-phone", "电话号码格式不正确", "is not a telephone number")
TAKEN: Final = Reason("username-taken", "用户名已被使用", "is taken")
MAY_NOT: Final = Reason("may-not-give", "没有权限授予该角色", "is not yours to give")
NO_PLACE: Final = Reason("no-such-place", "找不到该名称", "is not the name of one of yours")

_ROLES: Final[Mapping[ScopeType, Mapping[Role, Words]]] = {
    ScopeType.OPERATOR: {Role.PROPERTY_ADMIN: Words("物业公司管理员", "Property admin")},
    ScopeType.COMPANY: {
        Role.COMMUNITY_ADMIN: Words("小区管理员", "Community admin"),
        Role.HOUSE_REVIEWER: Words("房屋审核员", "House reviewer"),
    },
    ScopeType.COMMUNITY: {
        Role.HOUSE_REVIEWER: Words("房屋审核员", "House reviewer"),
        Role.CASHIER: Words("收款人员", "Cashier"),
        Role.REPAIR_WORKER: Words("维修人员", "Repair worker"),
        Role.INSTALLER: Words("施工人员", "Installer"),
    },
}
_TITLES: Final = {
    ScopeType.OPERATOR: ("property-admins", Words("物业公司账号", "Accounts of companies")),
    ScopeType.COMPANY: ("community-admins", Words("小区账号", "Accounts of communities")),
    ScopeType.COMMUNITY: ("staff", Words("工作人员账号", "Accounts of staff")),
}
_PLACES: Final = {
    ScopeType.OPERATOR: Words("物业公司", "Property company"),
    ScopeType.COMPANY: Words("小区", "Community"),
}


@dataclass(frozen=True, slots=True)
class _Plan:
    """An account to make."""

    role: Role
    site: Site
    valid_to: datetime | None
    """As long as the sender may give it."""


def kinds() -> tuple[ImportKind, ...]:
    """One for each level."""
    return tuple(_kind(level) for level in _ROLES)


def _kind(level: ScopeType) -> ImportKind:
    name, title = _TITLES[level]

    async def check(batch: Batch) -> Sequence[Finding]:
        return await _check(batch, level)

    async def options(site: Site) -> Mapping[str, Sequence[str]]:
        return {"place": sorted(await _sites(site, level))} if level in _PLACES else {}

    return ImportKind(
        name=name,
        title=title,
        scope=level,
        permission=Permission.ACCOUNT_MANAGE,
        columns=_columns(level),
        identity=lambda values: values["username"],
        check=check,
        apply=_apply,
        prepare=_prepare,
        options=options,
    )


def _columns(level: ScopeType) -> tuple[Column, ...]:
    roles_ = _ROLES[level]
    first = next(iter(roles_.values()))
    where = (
        (Column("place", _PLACES[level], cells.text(80), required=True),)
        if level in _PLACES
        else ()
    )
    return (
        Column(
            "username",
            Words("用户名", "Username"),
            _username,
            required=True,
            example="wangfang",
            note=Words("登录账号，全平台不重复", "To sign in with; once on the platform"),
        ),
        Column("name", Words("姓名", "Name"), cells.text(80), required=True, example="王芳"),
        Column("role", Words("角色", "Role"), required=True, choices=roles_, example=first.zh),
        *where,
        Column("phone", Words("联系电话", "Phone"), _phone, example="13800138000"),
    )


def _username(cell: str) -> str:
    try:
        return staff.checked_username(cells.text(64)(cell))
    except BadUsername:
        raise BadCell(BAD_USERNAME) from None


def _phone(cell: str) -> str:
    try:
        return phones.normal(cells.text(40)(cell))
    except phones.BadPhone:
        raise BadCell(BAD_PHONE) from None


async def _prepare(batch: Batch) -> dict[str, tuple[str, str]]:
    """A password and its hash for every username that is free; one after the other.

    A whole chunk at once would shut everybody else out who signs in meanwhile.
    """
    if batch.dry_run:
        return {}
    known = await _known(batch.rows)
    made = {}
    for row in batch.rows:
        if row.values["username"] not in known:
            password = passwords.made_up()
            made[row.values["username"]] = password, await passwords.hash_password(password)
    return made


async def _check(batch: Batch, level: ScopeType) -> Sequence[Finding]:
    """See `ImportKind.check`. At most five statements.

    An account that holds the role there already is left as it is; any other of that name is
    somebody else.
    """
    now = batch.context.clock()
    sender = Account.filter(id=_sender(batch), disabled_at=None)
    held = await RoleGrant.filter(account_id__in=await sender.values_list("id", flat=True))
    grants = [row.grant for row in held]
    sites = await _sites(batch.site, level) if level in _PLACES else {}
    known = await _known(batch.rows)
    theirs = await RoleGrant.filter(account_id__in=[account.id for account in known.values()])
    has = {
        (row.account_id, row.role, row.scope_id)  # type: ignore[attr-defined]
        for row in theirs
        if row.grant.live(now)
    }
    found = []
    for row in batch.rows:
        values = row.values
        site = sites.get(values["place"]) if level in _PLACES else batch.site
        account = known.get(values["username"])
        if site is None:
            found.append(Finding(row, Outcome.REFUSED, (NO_PLACE.at("place"),)))
        elif not decide.may_give(grants, values["role"], site, now):
            found.append(Finding(row, Outcome.REFUSED, (MAY_NOT.at("role"),)))
        elif account is None:
            end = decide.given_until(grants, values["role"], site, now)
            plan = _Plan(values["role"], site, end)
            found.append(Finding(row, Outcome.CREATED, plan=plan))
        elif (account.id, values["role"], site.at(roles.level_of(site))) in has:
            found.append(Finding(row, Outcome.UNCHANGED))
        else:
            found.append(Finding(row, Outcome.REFUSED, (TAKEN.at("username"),)))
    return found


async def _apply(batch: Batch, findings: Sequence[Finding]) -> None:
    """See `ImportKind.apply`. Seven statements at most."""
    context, now, sender = batch.context, batch.context.clock(), _sender(batch)
    made: list[Account] = []
    grants: list[RoleGrant] = []
    lines: list[audit.Line] = []
    kept: list[tuple[Account, str]] = []
    for finding in findings:
        values, plan = finding.row.values, finding.plan
        password, hashed = batch.prepared[values["username"]]
        account = Account(
            id=new_id(),
            username=values["username"],
            password_hash=hashed,
            must_change_password=True,
            password_set_by=sender,
            name=values["name"],
            created_at=now,
            created_by=sender,
        )
        if values["phone"]:
            account.phone_sealed = private.seal(context, account, "phone", values["phone"])
        level = roles.level_of(plan.site)
        grant = RoleGrant(
            account_id=account.id,
            role=plan.role,
            scope_type=level,
            scope_id=plan.site.at(level),
            valid_to=plan.valid_to,
            granted_by=sender,
            created_at=now,
            **place(plan.site),
        )
        made.append(account)
        grants.append(grant)
        kept.append((account, password))
        lines.append(_line(batch, account, plan))
    await Account.bulk_create(made)
    await RoleGrant.bulk_create(grants)
    await first_passwords.keep(context, batch.import_id, kept)
    await audit.append_all(lines, clock=context.clock)


def _line(batch: Batch, account: Account, plan: _Plan) -> audit.Line:
    site = plan.site
    return audit.Line(
        batch.actor,
        "account.create",
        f"account/{account.id}",
        site.community_id,
        {"role": plan.role.value, "import": str(batch.import_id)},
        site.operator_id,
        site.company_id,
    )


async def _known(rows: Sequence[Row]) -> dict[str | None, Account]:
    found = await Account.filter(username__in=[row.values["username"] for row in rows])
    return {account.username: account for account in found}


async def _sites(site: Site, level: ScopeType) -> dict[str, Site]:
    """The places below, by name."""
    found: Sequence[Any] = (
        await PropertyCompany.filter(operator_id=site.operator_id)
        if level is ScopeType.OPERATOR
        else await Community.filter(company_id=site.company_id)
    )
    return {row.name: row.site for row in found}


def _sender(batch: Batch) -> UUID:
    return UUID(batch.actor.removeprefix("account/"))
