"""A real Kafka on this machine, from Maven Central's jars: one node, or three to kill.

Java 17 and Maven are all it needs. Loopback only, without authentication: for tests and measurements.

    python -m tests.relay.kafka.cluster start --brokers 3    # prints JSON: addresses, processes, seconds
    python -m tests.relay.kafka.cluster kill 2               # SIGKILL of broker 2
    python -m tests.relay.kafka.cluster restart 2            # the same broker again, with its data
    python -m tests.relay.kafka.cluster stop                 # ends the brokers, and removes their data

The jars are kept in $KAFKA_CACHE, or else below $XDG_CACHE_HOME or ~/.cache.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

VERSION = "4.4.0"
LOG4J = "2.25.5"
CACHE = Path(
    os.environ.get("KAFKA_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / f"kafka-{VERSION}"
)
STARTED = "Kafka Server started"
LOOK_AGAIN_SECONDS = 0.05

POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>{VERSION}</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
<version>{LOG4J}</version></dependency>
</dependencies></project>
"""

LOG4J_PROPERTIES = """status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = ${sys:kafka.log}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %c: %m%n
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
"""

# Tests start it often and run it briefly; measurements want the compiler and the collector of production.
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
THROUGHPUT = ("-XX:+UseG1GC",)


def install() -> Path:
    """The folder with the jars, fetched once."""
    libraries = CACHE / "libs"
    if not (libraries / f"kafka_2.13-{VERSION}.jar").exists():
        staging = CACHE / f"staging-{os.getpid()}"
        staging.mkdir(parents=True)
        (staging / "pom.xml").write_text(POM)
        subprocess.run(
            [
                shutil.which("mvn") or "mvn",
                "-q",
                "-B",
                "dependency:copy-dependencies",
                f"-DoutputDirectory={staging / 'libs'}",
            ],
            cwd=staging,
            check=True,
            stdout=sys.stderr,
        )
        if not libraries.exists():
            (staging / "libs").rename(libraries)
        shutil.rmtree(staging)
    (CACHE / "log4j2.properties").write_text(LOG4J_PROPERTIES)
    return libraries


class Cluster:
    """Brokers whose data, logs and processes are told of in one folder: any process can go on with them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.directory / "state.json").read_text())
        return state

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{broker['port']}" for broker in self.state["brokers"])

    @property
    def is_running(self) -> bool:
        """Whether a broker runs."""
        return (self.directory / "state.json").exists() and any(map(is_alive, self.state["brokers"]))

    @property
    def living(self) -> list[int]:
        """The numbers of the brokers that run."""
        return [broker["id"] for broker in self.state["brokers"] if is_alive(broker)]

    def start(self, brokers: int = 1, *, heap: str = "384m", modes: Sequence[str] = QUICK) -> dict[str, Any]:
        """Make brokers, and return when they take connections. Returns what `state` does, and the seconds."""
        install()
        begun = time.monotonic()
        ports = list(zip(*[iter(free_ports(2 * brokers))] * 2, strict=True))
        # Shifted, since an id that began with a dash would pass for an option.
        cluster = base64.urlsafe_b64encode(uuid.UUID(int=uuid.uuid4().int >> 1).bytes).decode().rstrip("=")
        formatters = [self._format(number, ports, cluster) for number in range(1, brokers + 1)]
        for formatter in formatters:
            said = formatter.communicate()[0]
            if formatter.returncode:
                raise RuntimeError("formatting failed: " + said.decode(errors="replace"))
        nodes = [
            {"id": number, "port": port, "heap": heap, "modes": list(modes)}
            for number, (port, _) in enumerate(ports, 1)
        ]
        for node in nodes:
            self._launch(node)
        self._save({"brokers": nodes})
        for node in nodes:
            self._wait_until_ready(node)
        return {**self.state, "bootstrap": self.bootstrap, "seconds": round(time.monotonic() - begun, 1)}

    def kill(self, number: int) -> None:
        """End one broker at once, with SIGKILL."""
        broker = self._broker(number)
        if is_alive(broker):
            os.kill(broker["pid"], signal.SIGKILL)
            with suppress(ChildProcessError):  # another process has started it
                os.waitpid(broker["pid"], 0)

    def restart(self, *numbers: int) -> None:
        """Start brokers that have ended again, with their data; returns when they are ready."""
        state = self.state
        brokers = [each for each in state["brokers"] if each["id"] in numbers]
        for broker in brokers:
            self._launch(broker)
        self._save(state)
        for broker in brokers:
            self._wait_until_ready(broker)

    def stop(self) -> None:
        """End all brokers, and remove their data."""
        if (self.directory / "state.json").exists():
            # Nothing is left that a slow end would be good for.
            for broker in self.state["brokers"]:
                self.kill(broker["id"])
        shutil.rmtree(self.directory, ignore_errors=True)

    def _broker(self, number: int) -> dict[str, Any]:
        return next(broker for broker in self.state["brokers"] if broker["id"] == number)

    def _save(self, state: dict[str, Any]) -> None:
        (self.directory / "state.json").write_text(json.dumps(state, indent=1))

    def _home(self, number: int) -> Path:
        return self.directory / f"node-{number}"

    def _format(self, number: int, ports: list[tuple[int, int]], cluster: str) -> subprocess.Popen[bytes]:
        home = self._home(number)
        home.mkdir(parents=True)
        (home / "server.properties").write_text(properties(number, ports, home / "data"))
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(home / "server.properties")]
        command = java(home / "format.log", "128m", QUICK, *tool)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def _launch(self, broker: dict[str, Any]) -> None:
        home = self._home(broker["id"])
        log = home / "server.log"
        broker["log_from"] = log.stat().st_size if log.exists() else 0
        command = java(log, broker["heap"], broker["modes"], "kafka.Kafka", str(home / "server.properties"))
        output = str(home / "stdout.log")
        # No Popen, which would have to be waited for by this process: another may be the last to need it.
        broker["pid"] = os.posix_spawn(
            shutil.which("java") or "java",
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        broker["born"] = birth(broker["pid"])

    def _wait_until_ready(self, broker: dict[str, Any], timeout: float = 90.0) -> None:
        home = self._home(broker["id"])
        end = time.monotonic() + timeout
        while not self._has_started(broker):
            if not is_alive(broker):
                raise RuntimeError("a broker ended: " + (home / "stdout.log").read_text()[-2000:])
            if time.monotonic() > end:
                raise RuntimeError(f"a broker is not ready after {timeout:.0f} s; see {home / 'server.log'}")
            time.sleep(LOOK_AGAIN_SECONDS)

    def _has_started(self, broker: dict[str, Any]) -> bool:
        log = self._home(broker["id"]) / "server.log"
        if not log.exists():
            return False
        with log.open(encoding="utf-8", errors="replace") as lines:
            lines.seek(broker["log_from"])
            return STARTED in lines.read()


def java(log: Path, heap: str, modes: Sequence[str], *rest: str) -> list[str]:
    return [
        "java",
        f"-Xms{heap}",
        f"-Xmx{heap}",
        *modes,
        "-Xshare:auto",
        "-Djava.net.preferIPv4Stack=true",
        "-Djava.awt.headless=true",
        f"-Dkafka.log={log}",
        f"-Dlog4j2.configurationFile={CACHE / 'log4j2.properties'}",
        "-cp",
        f"{CACHE / 'libs'}/*",
        *rest,
    ]


def properties(number: int, ports: list[tuple[int, int]], data: Path) -> str:
    """The configuration of one node, which is broker and controller at once."""
    port, controller = ports[number - 1]
    copies = min(3, len(ports))
    enough = max(1, copies - 1)
    settings = {
        "process.roles": "broker,controller",
        "node.id": number,
        "controller.quorum.voters": ",".join(f"{i}@127.0.0.1:{c}" for i, (_, c) in enumerate(ports, 1)),
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": enough,
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": enough,
        "share.coordinator.state.topic.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": enough,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 3000,
        "controller.quorum.election.timeout.ms": 500,
        "controller.quorum.fetch.timeout.ms": 1500,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "num.replica.fetchers": 1,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        "log.segment.bytes": 64 * 1024 * 1024,
        "log.index.size.max.bytes": 64 * 1024,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def free_ports(count: int) -> list[int]:
    """Ports that nobody has at the moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def birth(pid: int) -> str | None:
    """When a process was born, lest another with its number be signalled; None: it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def is_alive(broker: dict[str, Any]) -> bool:
    return broker["born"] is not None and birth(broker["pid"]) == broker["born"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("do", choices=["start", "kill", "restart", "stop"])
    parser.add_argument("broker", type=int, nargs="?", help="for kill and restart")
    parser.add_argument("--brokers", type=int, default=1, choices=[1, 3])
    parser.add_argument("--dir", type=Path, default=CACHE / "cluster", help="where its data is")
    parser.add_argument("--heap", default="384m", help="the memory of each (default %(default)s)")
    parser.add_argument("--throughput", action="store_true", help="slower to start, faster after")
    arguments = parser.parse_args()
    cluster = Cluster(arguments.dir.absolute())
    if arguments.do == "start":
        modes = THROUGHPUT if arguments.throughput else QUICK
        print(json.dumps(cluster.start(arguments.brokers, heap=arguments.heap, modes=modes)))
    elif arguments.do == "stop":
        cluster.stop()
    else:
        getattr(cluster, arguments.do)(arguments.broker)


if __name__ == "__main__":
    main()
