"""`linli messages …`: what could not be delivered, and trying it once more."""

from typing import Annotated

import typer
from rich.table import Table

from business_api.messages import deliveries
from business_api.messages.models import Channel
from business_api.messages.routing import OUT
from foundation.commands import awaited, opened, print_page

app = typer.Typer(help="What people are told.", no_args_is_help=True)


@app.command("dead")
@awaited
async def dead(
    *, limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows at most.")] = 50
) -> None:
    """List the deliveries that were given up, the latest first."""
    async with opened():
        rows, total = await deliveries.dead(limit)
    table = Table("id", "channel", "kind", "told", "tries", "error")
    for row in rows:
        told = row.message.created_at.isoformat(timespec="seconds")
        table.add_row(
            str(row.id), row.channel.value, row.message.kind, told, str(row.attempts), row.error
        )
    print_page(table, total)


@app.command("revive")
@awaited
async def revive(channel: Channel) -> None:
    """Try the dead deliveries of a channel anew; what is too old by now stays dead."""
    async with opened() as context:
        number = await deliveries.revive(context, channel)
        context.wake.kick(OUT)
    print(f"{number} deliveries are tried again.")
