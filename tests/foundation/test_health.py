import asyncio

from prometheus_client.parser import text_string_to_metric_families

from foundation import health
from foundation.health import Health
from foundation.metrics import CONTENT_TYPE, exposition


async def test_what_is_wrong_is_named_and_nothing_else(monkeypatch):
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    found = Health()

    async def well() -> None:
        return None

    async def ill() -> str:
        return "no disk"

    async def mute() -> None:
        await asyncio.Event().wait()

    async def failing() -> None:
        raise ConnectionRefusedError("postgres://linli:hunter2@db")

    assert await found.trouble() == {}
    for name, check in {"well": well, "ill": ill, "mute": mute, "failing": failing}.items():
        found.add(name, check)
    assert await found.trouble() == {
        "ill": "no disk",
        "mute": "no answer",
        "failing": "ConnectionRefusedError",
    }


def test_metrics_can_be_read():
    families = {
        family.name: family for family in text_string_to_metric_families(exposition().decode())
    }
    assert "process_resident_memory_bytes" in families
    [build] = families["linli_build_info"].samples
    assert build.labels["python"].startswith("3.")
    assert build.labels["version"]
    assert CONTENT_TYPE.startswith("text/plain")
