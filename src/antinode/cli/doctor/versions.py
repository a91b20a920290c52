"""The interpreter and the packages that antinode runs on."""

from __future__ import annotations

import platform
import re
import ssl
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Final

from antinode import _json, _speedups
from antinode._delivery.http.compression import Compressor
from antinode._version import __version__
from antinode.cli.doctor.findings import DoctorFinding

_PACKAGES: Final = ("msgspec", "orjson", "urllib3")


def check_versions() -> Iterator[DoctorFinding]:
    """Findings about Python, each package that antinode needs, and its compiled parts."""
    gil = getattr(sys, "_is_gil_enabled", None)
    free = " without the interpreter lock" if gil is not None and not gil() else ""
    yield DoctorFinding(
        "Python",
        "ok",
        f"{platform.python_version()}{free} ({platform.python_implementation()}), {ssl.OPENSSL_VERSION}",
    )
    least = _required()
    installed: list[str] = []
    for name in _PACKAGES:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        wanted = least.get(name)
        if wanted and _numbers(version) < _numbers(wanted):
            yield DoctorFinding(
                "packages",
                "problem",
                f"{name} {version} is older than antinode needs",
                f'pip install --upgrade "{name}>={wanted}"',
            )
        installed.append(f"{name} {version}")
    yield DoctorFinding("packages", "ok", f"antinode {__version__}, {', '.join(installed)}")
    yield DoctorFinding("speedups", "ok", _speedups.describe())
    yield DoctorFinding("JSON", "ok", f"by {_json.LIBRARY}")
    yield DoctorFinding("gzip", "ok", _gzip())


def _gzip() -> str:
    name = Compressor().name
    return f"{name}; antinode[fast] brings ISA-L, several times as quick" if "zlib" in name else name


def _required() -> dict[str, str]:
    """The least versions, as the installed antinode states them; empty where it is not installed."""
    try:
        requirements = metadata.requires("antinode") or []
    except metadata.PackageNotFoundError:
        return {}
    matches = (re.match(r"([\w-]+)\s*>=\s*([\d.]+)", each) for each in requirements if "extra ==" not in each)
    return {match[1].lower(): match[2] for match in matches if match}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
