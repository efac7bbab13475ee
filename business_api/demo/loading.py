"""All of the demo. What is there stays as it is, so that it can be loaded at every start."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from business_api.demo import keeping, people, places
from business_api.demo.errors import NotADemo
from business_api.demo.keeping import DemoAccount
from business_api.organisations.models import Community
from device_registry.devices import bluetooth, communication_codes
from foundation.runner import Context

CODES: Final = 20
READERS: Final = tuple((f"BT{number:04d}", "demo") for number in range(1, 6))


@dataclass(frozen=True, slots=True)
class Demo:
    """What there is after `load`. `community`: the one with the stations."""

    community: Community
    accounts: tuple[DemoAccount, ...]
    file: Path


async def load(context: Context) -> Demo:
    """Make what is missing of the demo.

    Raises:
        NotADemo: there are other tenants, or accounts of theirs with these usernames; or
            text messages would go out: the numbers of the demo may be somebody's.
    """
    if context.settings.sms.provider != "local":
        raise NotADemo("text messages go out (LINLI_SMS__PROVIDER): the demo's numbers are made up")
    made = await places.make(context)
    if (await communication_codes.codes(size=1))[1] == 0:
        await communication_codes.generate(CODES, "demo", clock=context.clock)
    if (await bluetooth.readers(size=1))[1] == 0:
        await bluetooth.import_readers(READERS, "demo", clock=context.clock)
    file = context.settings.data_dir / keeping.FILE
    accounts = await people.make(context, made, file)
    return Demo(made.communities[places.PARK], tuple(accounts), file)
