"""What the device lane costs: `python -m tests.broker.bench [stations] [--tls]`. Only prints.

The gate, the lane, ingest with a handler that drops, in this process under uvloop; stations
that log in with real passwords in another one. CPU is this process's own, user and system.
"""

import argparse
import asyncio
import gc
import resource
import selectors
import socket
import ssl
import sys
import tempfile
import time
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import uvloop

from foundation import log
from foundation.ids import Mac
from foundation.wire import topics
from foundation.wire.keys import password
from tests.attacks.raw import connect, publish, subscribe
from tests.broker import lab as labs
from tests.support.until import until

MESSAGES = 40_000
PAYLOAD = b'{"sess":"' + b"0" * 182 + b'"}'


def mac_of(number: int) -> Mac:
    return Mac(f"02{number:010x}")


def cpu() -> float:
    """Seconds of CPU of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def play(orders: Connection, port: int, count: int, tls_ca: str | None) -> None:
    """The stations: connect when told, send when told, say when it is done."""
    socks: list[socket.socket] = []
    trust = ssl.create_default_context(cafile=tls_ca) if tls_ca else None
    while (order := orders.recv()) != "end":
        if order == "connect":
            for number in range(count):
                sock = socket.create_connection(("127.0.0.1", port))
                socks.append(
                    trust.wrap_socket(sock, server_hostname="localhost") if trust else sock
                )
                _login(socks[-1], mac_of(number))
            for sock in socks:
                _exactly(sock, 4 + 6)
        else:
            _flood(socks, name=order, qos=0 if order == "hb" else 1)
        orders.send("done")


def _login(sock: socket.socket, mac: Mac) -> None:
    row = labs.login_row(mac)
    given = password(labs.secret(mac), mac, row.comm_code, int(time.time()))
    sock.sendall(connect(mac, row.comm_code, given) + subscribe(topics.filters(mac)))


def _exactly(sock: socket.socket, size: int) -> None:
    while size:
        size -= len(sock.recv(size))


def _flood(socks: list[socket.socket], name: str, qos: int) -> None:
    """`MESSAGES`, spread over all, at most 20 of a station unanswered; then wait for the acks."""
    each = max(1, MESSAGES // len(socks))
    selector = selectors.DefaultSelector()
    left: dict[socket.socket, list[int]] = {}
    for number, sock in enumerate(socks):
        packet = publish(topics.up(mac_of(number), name), PAYLOAD, qos=qos)
        first = min(each, 20) if qos else each
        sock.sendall(packet * first)
        if qos:
            left[sock] = [each - first, each * 4, number]
            selector.register(sock, selectors.EVENT_READ)
    while left:
        for key, _ in selector.select():
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            state = left[sock]
            acked = len(sock.recv(65536))
            state[1] -= acked
            more = min(state[0], acked // 4)
            if more:
                state[0] -= more
                sock.sendall(publish(topics.up(mac_of(state[2]), name), PAYLOAD, qos=1) * more)
            if state[1] <= 0:
                selector.unregister(sock)
                del left[sock]


async def ask(orders: Connection, what: str) -> None:
    """Have the stations do something, and wait until they have."""
    orders.send(what)
    await asyncio.to_thread(orders.recv)


async def main(count: int, *, tls: bool) -> None:
    """Measure connects, memory and messages."""
    log.configure(level="warning")
    chosen = labs.settings(
        Path(tempfile.mkdtemp()), tls_port=0 if tls else None,
        message_rate=10**6, byte_rate=10**9, refused_rate=10**6, pending_connects=10**6,
    )  # fmt: skip
    lab = labs.Lab(chosen, {mac_of(n): labs.login_row(mac_of(n)) for n in range(count)})
    for queue in lab.inbox.queues.values():
        queue.handlers.clear()
    lab.listeners.bind()
    stop = asyncio.Event()
    parent, child = Pipe()
    port = lab.listeners.port("tls_port" if tls else "port")
    ca = str(chosen.data_dir / "tls" / "ca.pem") if tls else None
    load = Process(target=play, args=(child, port, count, ca))
    load.start()
    async with asyncio.TaskGroup() as group:
        for work in (lab.gate.run, lab.inbox.run, lab.comings.run, lab.lane.sweep):
            group.create_task(work(stop))
        await lab.listeners.open()
        gc.collect()
        memory, used = psutil.Process().memory_info().rss, cpu()
        await ask(parent, "connect")
        used = cpu() - used
        lab.changes.clear()
        lab.order.clear()
        gc.collect()
        memory = psutil.Process().memory_info().rss - memory
        print(f"{count} stations, {'TLS' if tls else 'TCP'}, {sys.version.split()[0]}")
        print(f"  connect, log in, subscribe   {used / count * 1e6:8.1f} us CPU each")
        print(f"  memory of a station          {memory / count / 1024:8.2f} KiB")
        for name in ("hb", "evt", "hb", "evt"):
            used, sent = cpu(), max(1, MESSAGES // count) * count
            await ask(parent, name)
            await until(lambda: not any(map(len, lab.inbox.queues.values())))
            used = cpu() - used
            qos = 0 if name == "hb" else 1
            print(f"  message at QoS {qos}             {used / sent * 1e6:8.1f} us CPU each")
        parent.send("end")
        lab.listeners.close()
        lab.lane.close()
        stop.set()
    load.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("stations", type=int, nargs="?", default=1000)
    parser.add_argument("--tls", action="store_true")
    given = parser.parse_args()
    uvloop.run(main(given.stations, tls=given.tls))
