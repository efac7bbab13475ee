"""mosquitto_pub and mosquitto_sub as an MQTT client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

from tests.peers.mqtt_peer import Account, Door, Ear, Got
from tests.support.until import until


class Mosquitto:
    """Debian's mosquitto_pub and mosquitto_sub 2.0; they speak no WebSocket."""

    async def publish(
        self, door: Door, who: Account, messages: list[Got], *, within: float = 10.0
    ) -> None:
        """One process a message."""
        for message in messages:
            retain = ["-r"] if message.retain else []
            body = ["-m", message.payload.decode()] if message.payload else ["-n"]
            options = ["-t", message.topic, "-q", str(message.qos), *body, *retain]
            code, output = await self._run("mosquitto_pub", door, who, "mouth", *options)
            assert code == 0, output

    @asynccontextmanager
    async def hear(self, door: Door, who: Account, name: str, qos: int) -> AsyncIterator[Ear]:
        """Reads what `mosquitto_sub -d` prints."""
        ear = Ear([])
        options = ["-d", "-t", name, "-q", str(qos), "-F", ">%t %q %r %p"]
        process = await self._start("mosquitto_sub", door, who, "ear", *options)
        reading = asyncio.create_task(self._read(process, ear))
        try:
            await until(lambda: ear.codes)
            yield ear
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            await reading

    @asynccontextmanager
    async def doomed(self, door: Door, who: Account, will: Got) -> AsyncIterator[None]:
        """Killed at the end."""
        options = ["--will-topic", will.topic, "--will-payload", will.payload.decode()]
        options += ["--will-qos", str(will.qos), *(["--will-retain"] if will.retain else [])]
        ear = Ear([])
        process = await self._start(
            "mosquitto_sub", door, who, "doomed", "-d", "-t", "site/x", *options
        )
        reading = asyncio.create_task(self._read(process, ear))
        await until(lambda: ear.codes)
        yield
        process.kill()
        await process.wait()
        await reading

    async def code(self, door: Door, who: Account) -> int:
        """As `mosquitto_pub` exits with it."""
        code, _ = await self._run("mosquitto_pub", door, who, "c", "-t", "site/x", "-m", "x")
        return code

    @staticmethod
    async def _start(
        program: str, door: Door, who: Account, client_id: str, *options: str
    ) -> asyncio.subprocess.Process:
        assert door.transport != "ws"
        tls = ["--cafile", str(door.ca)] if door.ca else []
        return await asyncio.create_subprocess_exec(
            *(
                "stdbuf",
                "-oL",
                program,
                "-h",
                "127.0.0.1",
                "-p",
                str(door.port),
                "-V",
                "mqttv311",
                *tls,
            ),
            *("-i", client_id, "-u", who.name, "-P", who.password, *options),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def _run(
        self, program: str, door: Door, who: Account, client_id: str, *options: str
    ) -> tuple[int, bytes]:
        process = await self._start(program, door, who, client_id, *options)
        output, _ = await asyncio.wait_for(process.communicate(), 10)
        return cast(int, process.returncode), output

    @staticmethod
    async def _read(process: asyncio.subprocess.Process, ear: Ear) -> None:
        assert process.stdout is not None
        while raw := await process.stdout.readline():
            line = raw.decode().rstrip("\n")
            if line.startswith("Subscribed"):
                ear.codes = [int(code) for code in line.rpartition(": ")[2].split(", ")]
            elif line.startswith(">"):
                topic, qos, retain, payload = line[1:].split(" ", 3)
                ear.got.append(Got(topic, payload.encode(), int(qos), retain == "1"))
