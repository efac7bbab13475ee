"""`linli user …`: accounts from a shell, for the first admin and for emergencies.

Passwords are asked for, or read from standard input; never arguments, which every user of
the machine can read in the list of processes.
"""

import sys
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from tortoise.transactions import in_transaction

from business_api.accounts import accounts
from business_api.actors import AccountKind
from business_api.places import buildings
from business_api.places.errors import NoSuchCommunity
from foundation.commands import actor, awaited, opened, plain, print_page
from foundation.ids import new_id

app = typer.Typer(help="People who sign in.", no_args_is_help=True)

Username = Annotated[str, typer.Argument(metavar="USERNAME")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@app.command("create")
@awaited
async def create(
    username: Username,
    *,
    name: Annotated[str, typer.Option(help="As others see it; empty: the username.")] = "",
    kind: Annotated[AccountKind, typer.Option()] = AccountKind.COMMUNITY_ADMIN,
    community: Annotated[
        str, typer.Option(help="Its name or id; empty when there is only one.")
    ] = "",
    new_community: Annotated[
        bool, typer.Option("--new-community", help="Make the community, if there is none so.")
    ] = False,
    password_stdin: FromStdin = False,
) -> None:
    """Make an account."""
    async with opened() as context:
        known = await _community(community, may_be_new=new_community)
        community_id = known.id if known else new_id()
        password = _password(from_stdin=password_stdin)
        new = await accounts.prepare(
            username, password, name or username, kind, community_id=community_id
        )
        async with in_transaction():
            chosen = known or await buildings.create_community(community, community_id)
            made = await accounts.create(context, actor(), new)
    print(f"{made.kind} {made.username} of {chosen.name}: {made.id}")


@app.command("list")
@awaited
async def list_accounts(
    *,
    after: Annotated[str, typer.Option(help="Only usernames behind this one.")] = "",
    size: Annotated[int, typer.Option(min=1, max=1000)] = 100,
) -> None:
    """List accounts by username."""
    async with opened():
        rows, total = await accounts.listed(after=after, limit=size)
    table = Table("Id", "Username", "Name", "Kind", "Community", "Disabled since")
    for row in rows:
        since = row.disabled_at.isoformat(timespec="seconds") if row.disabled_at else ""
        table.add_row(str(row.id), row.username, row.name, row.kind, plain(row.community_id), since)
    print_page(table, total)


@app.command("password")
@awaited
async def set_password(username: Username, *, password_stdin: FromStdin = False) -> None:
    """Set somebody's password. All sessions of the account end."""
    async with opened() as context:
        account = await accounts.find(username)
        password = _password(from_stdin=password_stdin)
        await accounts.reset_password(context, actor(), account.id, password)
    print(f"{account.username}: password set, sessions ended")


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


async def _community(text: str, *, may_be_new: bool) -> buildings.CommunityRow | None:
    """The community called so, or with this id; the only one when nothing is said.

    None: there is none called so, and one may be made.
    """
    try:
        return await buildings.community(UUID(text))
    except ValueError:
        found = await buildings.communities(text or None)
    if len(found) == 1:
        return found[0]
    if found:
        raise NoSuchCommunity(f"there are {len(found)}: give its id")
    if text and may_be_new:
        return None
    raise NoSuchCommunity("make it with --community NAME --new-community")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
