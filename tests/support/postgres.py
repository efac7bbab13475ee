"""A private PostgreSQL server for the tests, from Debian's binaries, as user `postgres`."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Where Debian put initdb and postgres (newest version), or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def server() -> Iterator[str]:
    """Run a server until the block ends; yields `postgres://…` without a database name."""
    found = binaries()
    assert found, "PostgreSQL is not installed: run `make peers`"
    home = Path(tempfile.mkdtemp(prefix="linli-pg-"))
    as_root = os.geteuid() == 0
    if as_root:
        user = pwd.getpwnam("postgres")
        os.chown(home, user.pw_uid, user.pw_gid)
    su = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if as_root else []
    port = free_port()
    options = (
        f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off "
        "-c synchronous_commit=off -c full_page_writes=off -c max_connections=200"
    )
    data = home / "data"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": home}
    subprocess.run(  # type: ignore[call-overload]
        [
            *su,
            found / "initdb",
            "-D",
            data,
            "-U",
            "linli",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C.UTF-8",
        ],
        **quiet,
    )
    pg_ctl = [*su, found / "pg_ctl", "-D", data, "-l", home / "log", "-w"]
    subprocess.run([*pg_ctl, "-o", options, "start"], **quiet)  # type: ignore[call-overload]
    try:
        psql = [found / "psql", "-h", home, "-p", str(port), "-U", "linli", "-d", "postgres"]
        subprocess.run([*psql, "-q", "-c", "CREATE ROLE application LOGIN"], **quiet)  # type: ignore[call-overload]
        yield f"postgres://linli:linli@127.0.0.1:{port}"
    finally:
        subprocess.run([*pg_ctl, "-m", "immediate", "stop"], **quiet)  # type: ignore[call-overload]
        shutil.rmtree(home, ignore_errors=True)
