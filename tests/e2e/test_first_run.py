"""`make run` as somebody sees it who has just cloned: it starts, and its `curl` opens a door."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tests.support import commands
from tests.support.postgres import free_port
from tests.support.until import until


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_the_printed_curl_opens_a_door(tmp_path: Path):
    http, control = free_port(), free_port()
    data = tmp_path / "data"
    env = commands.environment(
        data,
        LINLI_HTTP__PORT=str(http),
        LINLI_HTTP__TLS_PORT=str(free_port()),
        LINLI_HTTP__PUBLIC_URL=f"http://127.0.0.1:{http}",
        LINLI_BROKER__PORT=str(free_port()),
        LINLI_BROKER__TLS_PORT=str(free_port()),
        LINLI_BROKER__WS_PORT=str(free_port()),
    )
    command = (*commands.LINLI, "run-demo", "--control-port", str(control))
    with commands.running(*command, env=env, log=tmp_path / "log", within=40) as demo:
        await until(lambda: "Ctrl-C ends it" in demo.output(), within=90)
        said = demo.output()
        for account in ("operator", "admin", "13123456701"):
            assert f"│ {account} " in said
        script = said[said.index("TOKEN=$(curl") :].split("\n\n")[0]
        bash = await asyncio.create_subprocess_exec(
            "bash", "-c", script, stdout=asyncio.subprocess.PIPE
        )
        answer, _ = await asyncio.wait_for(bash.communicate(), 30)
        assert json.loads(answer)["outcome"] == "executed"

        demo.process.terminate()
        assert await asyncio.to_thread(demo.process.wait, 40) == 0
    for log in ("serve.log", "emulate.log"):
        text = (data / log).read_text()
        assert '"level": "error"' not in text
        assert "stopped" in text
