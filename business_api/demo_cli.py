"""`linli demo`: the demo data, its accounts, and its emulated stations."""

from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from business_api.demo import loading
from business_api.demo import stations as demo_stations
from business_api.demo.keeping import DemoAccount
from business_api.demo.loading import Demo
from business_api.demo.stations import DemoStation
from business_api.residents.models import ResidentType
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
        loaded = await loading.load(context)
        found: list[DemoStation] = []
        if stations or screens:
            found = await demo_stations.register_demo_stations(context)
        if screens:
            look = demo_stations.screens_at(screens)
            patience = timedelta(seconds=within)
            found = await demo_stations.confirm_demo_stations(context, look, within=patience)
        _print(context, loaded, found)


def _print(context: Context, loaded: Demo, stations: list[DemoStation]) -> None:
    console = Console()
    wide = Console(width=None if console.is_terminal else 120)
    table = Table("Sign in as", "Password", "Role", "Name", "Where")
    for account in loaded.accounts:
        password = account.password or "(changed)"
        table.add_row(account.login, password, account.role, account.name, account.place)
    wide.print(table)
    print(f"Passwords are kept in {loaded.file}; (changed): no longer the one made up here.")
    if stations:
        listed = Table("Station", "MAC", "Status", "Id")
        for station in stations:
            listed.add_row(station.name, station.mac, station.status, str(station.id))
        wide.print(listed)
        owners = [one for one in loaded.accounts if one.role == ResidentType.OWNER]
        resident = next((one for one in owners if one.password), owners[0])
        print(f"\nOpen the door, as {resident.name}:\n\n{_curl(context, resident, stations[0])}")


def _curl(context: Context, resident: DemoAccount, station: DemoStation) -> str:
    url = context.settings.http.public_url.rstrip("/")
    body = f'{{"username":"{resident.login}","password":"{resident.password or "…"}"}}'
    token = "import json,sys;print(json.load(sys.stdin)['access_token'])"  # noqa: S105  (a program)
    return (
        f"TOKEN=$(curl -s {url}/v1/auth/login -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}' | python3 -c \"{token}\")\n"
        f'curl -s -X POST {url}/v1/doors/{station.id}/open -H "Authorization: Bearer $TOKEN"\n'
    )
