"""A PostgreSQL and a MariaDB of the tests' own, on sockets in temporary directories."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.needs import absent

_STARTS_WITHIN = 120.0


def _programs() -> Path:
    """Where initdb and postgres are: Debian keeps them out of PATH, by version."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    installed = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not installed:
        absent("needs PostgreSQL: `apt-get install postgresql`")
    return max(installed, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0))


def _user() -> dict[str, Any]:
    """How to run them: PostgreSQL refuses to be root, and its package brings a user for it."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": ()}


@contextmanager
def postgresql() -> Iterator[Path]:
    """The directory of the socket of a running server: its user and its database are `postgres`."""
    programs, user = _programs(), _user()
    home = Path(tempfile.mkdtemp(prefix="antinode-pg-"))
    try:
        if user:
            shutil.chown(home, "postgres", "postgres")
        data = home / "data"
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"],
            check=True, capture_output=True, cwd=home, **user,
        )  # fmt: skip
        settings = {
            "listen_addresses": "", "unix_socket_directories": home, "fsync": "off",
            "max_prepared_transactions": 10, "shared_buffers": "16MB",
        }  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *options],
            cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **user,
        )  # fmt: skip
        try:
            _wait_for(home, server)
            yield home
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=120)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def mariadb() -> Iterator[Path]:
    """The socket of a running server: its user is `root`, its database is `antinode`."""
    server_program = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    installer = shutil.which("mariadb-install-db")
    if server_program is None or installer is None:
        absent("needs MariaDB: `apt-get install mariadb-server-core mariadb-client-core`")
    home = Path(tempfile.mkdtemp(prefix="antinode-mariadb-"))
    base = Path(server_program).resolve().parents[1]
    usual = ["--no-defaults", f"--basedir={base}", f"--datadir={home}/data"]
    usual += ["--user=root"] if os.geteuid() == 0 else []
    try:
        subprocess.run(
            [installer, *usual, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True, capture_output=True,
        )  # fmt: skip
        settings = ["--skip-networking", f"--socket={home}/socket", "--innodb-flush-log-at-trx-commit=0"]
        settings += ["--innodb-buffer-pool-size=16M", f"--lc-messages-dir={base}/share/mysql"]
        with (home / "log").open("w") as log:
            server = subprocess.Popen([server_program, *usual, *settings], stdout=log, stderr=log)
        try:
            _wait_for_mariadb(home, server)
            yield home / "socket"
        finally:
            server.terminate()
            server.wait(timeout=60)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _wait_for_mariadb(home: Path, server: subprocess.Popen[bytes]) -> None:
    import pymysql

    deadline = time.monotonic() + _STARTS_WITHIN
    while "ready for connections" not in (log := (home / "log").read_text()):
        if server.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"MariaDB did not start:\n{log}")
        time.sleep(0.05)
    connection = pymysql.connect(unix_socket=str(home / "socket"), user="root")
    connection.cursor().execute("CREATE DATABASE antinode CHARACTER SET utf8mb4")
    connection.close()


def _wait_for(home: Path, server: subprocess.Popen[str]) -> None:
    import psycopg

    deadline = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            psycopg.connect(f"host={home} user=postgres dbname=postgres").close()
            return
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                server.kill()
                raise AssertionError(
                    f"PostgreSQL did not start: {error}\n{server.communicate()[1]}"
                ) from None
            time.sleep(0.05)
