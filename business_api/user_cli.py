"""`linli user …`: accounts from a shell, for the first super admin and for emergencies.

Passwords are asked for, or read from standard input; never arguments, which every user of
the machine can read in the list of processes. What is done here asks for no rights: who has
a shell and the master key has everything.
"""

import sys
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from business_api.accounts import accounts, listing, management, passwords, roles, scopes, staff
from business_api.authz.permissions import Permission
from business_api.authz.roles import Role
from business_api.rights import explain
from business_api.user_places import any_site, found_site
from foundation.commands import actor, awaited, opened, print_page

app = typer.Typer(help="People who sign in.", no_args_is_help=True)

_ZONE = ZoneInfo("Asia/Shanghai")

Username = Annotated[str, typer.Argument(metavar="USERNAME")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
MadeUp = Annotated[
    bool, typer.Option("--generate", help="Make one up, print it, and have it changed at once.")
]
AsRole = Annotated[Role, typer.Option("--role", help="What the account may do.")]
At = Annotated[
    str,
    typer.Option(
        "--at",
        help="Name or id of the operator, company, community or building (COMMUNITY/BUILDING) "
        "at which the role is held; not for a super admin.",
    ),
]


@app.command("create")
@awaited
async def create(
    username: Username,
    *,
    name: Annotated[str, typer.Option(help="As others see it; empty: the username.")] = "",
    role: AsRole = Role.SUPER_ADMIN,
    at: At = "",
    password_stdin: FromStdin = False,
    generate: MadeUp = False,
) -> None:
    """Make an account with a role: the first super admin, when nothing is said."""
    async with opened() as context:
        site = await found_site(role, at)
        roles.check(actor(), role, site, now=context.clock())
        password = None if generate else _password(from_stdin=password_stdin)
        new = staff.NewStaff(username, password, name or username)
        words = await scopes.words_around(site)
        prepared = await staff.prepare(new, *words, must_change=generate)
        made = await staff.create(context, actor(), prepared, role, site)
    print(f"{role.value} {made.username}: {made.id}")
    if prepared.made_up:
        print(f"password, to be changed at the first sign-in: {prepared.made_up}")


@app.command("list")
@awaited
async def list_accounts(
    *,
    after: Annotated[str, typer.Option(help="Only usernames behind this one.")] = "",
    size: Annotated[int, typer.Option(min=1, max=1000)] = 100,
) -> None:
    """List accounts of staff by username, with the roles they hold."""
    async with opened() as context:
        rows, total = await accounts.listed(after=after, limit=size)
        grants = await management.grants_of([row.id for row in rows])
        every = [grant for held in grants.values() for grant in held]
        held_now = await listing.roles_of(every, context.clock())
    table = Table("Id", "Username", "Name", "Roles", "Disabled since")
    for row in rows:
        since = row.disabled_at.isoformat(timespec="seconds") if row.disabled_at else ""
        table.add_row(
            str(row.id), row.username, row.name, "\n".join(held_now.get(row.id, ())), since
        )
    print_page(table, total)


@app.command("password")
@awaited
async def set_password(
    username: Username, *, password_stdin: FromStdin = False, generate: MadeUp = False
) -> None:
    """Set somebody's password. All sessions of the account end."""
    async with opened() as context:
        account = await accounts.find(username)
        made_up = passwords.made_up() if generate else None
        password = made_up or _password(from_stdin=password_stdin)
        await accounts.reset_password(context, actor(), account.id, password, must_change=generate)
    print(f"{account.username}: password set, sessions ended")
    if made_up:
        print(f"password, to be changed at the next sign-in: {made_up}")


@app.command("disable")
@awaited
async def disable(username: Username) -> None:
    """Shut an account out: its sessions end, it opens nothing."""
    async with opened() as context:
        account = await accounts.find(username)
        await accounts.disable(context, actor(), account.id)
    print(f"{account.username}: disabled")


@app.command("enable")
@awaited
async def enable(username: Username) -> None:
    """Let an account sign in again."""
    async with opened() as context:
        account = await accounts.find(username)
        await accounts.enable(context, actor(), account.id)
    print(f"{account.username}: enabled")


@app.command("grant")
@awaited
async def grant(
    username: Username,
    *,
    role: AsRole,
    at: At = "",
    until: Annotated[
        datetime | None, typer.Option(help="When it ends, in the time of China; else never.")
    ] = None,
) -> None:
    """Give a role."""
    async with opened() as context:
        account = await accounts.find(username)
        site = await found_site(role, at)
        end = until.replace(tzinfo=_ZONE) if until else None
        given = await roles.give(context, actor(), account.id, role, site, valid_to=end)
    print(f"{account.username}: {role.value}, {given.id}")


@app.command("revoke")
@awaited
async def revoke(username: Username, *, role: AsRole, at: At = "") -> None:
    """Take a role."""
    async with opened() as context:
        account = await accounts.find(username)
        held = await roles.held(account.id, role, await found_site(role, at))
        await roles.take(context, actor(), held.id)
    print(f"{account.username}: no longer {role.value}")


@app.command("explain")
@awaited
async def explain_permission(
    username: Username,
    permission: Annotated[Permission, typer.Argument(metavar="PERMISSION")],
    *,
    at: Annotated[
        str, typer.Option("--at", help="Name or id of a place, house included; else the platform.")
    ] = "",
) -> None:
    """Say whether an account may do something at a place, and why."""
    async with opened() as context:
        account = await accounts.find(username)
        site = await any_site(at)
        told = await explain.of_any(account.id, permission, site, context.clock())
    verdict = "may" if told.allowed else "may not"
    why = "disabled" if told.disabled else told.why.value
    by = f", {told.by.role.value} {told.by.scope_name}".rstrip() if told.by else ""
    print(f"{account.username} {verdict} {permission.value}: {why}{by}")


@app.command("forget-second-factor")
@awaited
async def forget_second_factor(username: Username) -> None:
    """Ask somebody who lost it for no second factor any more. All its sessions end."""
    async with opened() as context:
        account = await accounts.find(username)
        await staff.reset_second_factor(context, actor(), account.id)
    print(f"{account.username}: no second factor")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
