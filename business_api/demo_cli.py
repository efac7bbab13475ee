"""`linli demo`: the demo data, its accounts, and its emulated stations."""

from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from business_api import demo, demo_stations
from business_api.demo_stations import DemoStation
from foundation.commands import awaited, opened
from foundation.runner import Context

app = typer.Typer()


@app.command()
@awaited
async def load(
    *,
    stations: Annotated[
        bool, typer.Option("--stations", help="Register the three emulated stations too.")
    ] = False,
    screens: Annotated[
        str,
        typer.Option(
            help="The emulator's control surface, e.g. http://127.0.0.1:8090: wait for the "
            "stations and confirm those whose screen shows the platform's number."
        ),
    ] = "",
    within: Annotated[int, typer.Option(min=1, help="Seconds to wait for that.")] = 60,
) -> None:
    """Load the demo data; what is there stays. Prints the accounts."""
    async with opened() as context:
        loaded = await demo.load(context)
        found: list[DemoStation] = []
        if stations or screens:
            found = await demo_stations.register_demo_stations(context)
        if screens:
            look = demo_stations.screens_at(screens)
            patience = timedelta(seconds=within)
            found = await demo_stations.confirm_demo_stations(context, look, within=patience)
        _print(context, loaded, found)


def _print(context: Context, loaded: demo.Demo, stations: list[DemoStation]) -> None:
    console = Console()
    wide = Console(width=None if console.is_terminal else 120)
    table = Table("Username", "Password", "Kind", "Name", "House")
    for account in loaded.accounts:
        password = account.password or f"(linli user password {account.username})"
        table.add_row(account.username, password, account.kind, account.name, account.house)
    wide.print(table)
    print(f"Passwords are kept in {loaded.file}")
    if stations:
        listed = Table("Station", "MAC", "Status", "Id")
        for station in stations:
            listed.add_row(station.name, station.mac, station.status, str(station.id))
        wide.print(listed)
        resident = next(one for one in loaded.accounts if one.house)
        print(f"\nOpen the door, as {resident.name}:\n\n{_curl(context, resident, stations[0])}")


def _curl(context: Context, resident: demo.DemoAccount, station: DemoStation) -> str:
    url = context.settings.http.public_url.rstrip("/")
    body = f'{{"username":"{resident.username}","password":"{resident.password}"}}'
    token = "import json,sys;print(json.load(sys.stdin)['access_token'])"  # noqa: S105  (a program)
    return (
        f"TOKEN=$(curl -s {url}/v1/auth/login -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}' | python3 -c \"{token}\")\n"
        f'curl -s -X POST {url}/v1/doors/{station.id}/open -H "Authorization: Bearer $TOKEN"\n'
    )
