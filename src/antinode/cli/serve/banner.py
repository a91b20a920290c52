"""What `antinode serve` says first: where it listens, what it keeps, and how to point an SDK at it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from antinode._protocol.words import counted
from antinode._version import __version__


@dataclass(frozen=True, kw_only=True)
class Listening:
    """A server that is up."""

    url: str
    """Of the page, without a slash at the end."""
    server_url: str
    """What an SDK is given."""
    data: Path | None
    max_events: int | None
    faults: Sequence[str] = ()
    has_documented_rates: bool = False
    api_keys: int = 0
    """How many keys are accepted, and no others; 0: any."""
    authority: Path | None = None
    """The certificate that clients have to trust, if it is one of this machine's own."""
    trust_lines: Sequence[tuple[str, str]] = ()
    """For each kind of client, the line that makes it trust that certificate."""


def print_banner(console: Console, listening: Listening) -> None:
    console.print(
        Text.assemble(
            ("antinode", "bold"), f" {__version__}: a local Amplitude at ", (listening.url, "bold cyan")
        ),
        soft_wrap=True,
    )
    for label, fact in _facts(listening):
        console.print(Text.assemble((f"  {label:<9}", "dim"), fact), soft_wrap=True)
    console.print()
    _print_lines(console, "Point an SDK at it:", sdk_lines(listening))
    if listening.trust_lines:
        _print_lines(
            console,
            "Make it trust the certificate, which is good for this machine alone:",
            listening.trust_lines,
        )
    console.print("Ctrl-C ends it.\n", style="dim")


def _print_lines(console: Console, title: str, lines: Sequence[tuple[str, str]]) -> None:
    console.print(title)
    for label, line in lines:
        # Wrapped by the terminal itself, if at all, so that it is copied as one line.
        console.print(Text.assemble((f"  {label:<9}", "dim"), line), soft_wrap=True)
    console.print()


def sdk_lines(listening: Listening) -> list[tuple[str, str]]:
    """For each kind of SDK, the line that makes it send here."""
    key = "API_KEY" if listening.api_keys else "any-key"
    url = listening.server_url
    lines = [
        ("Python", f'antinode.init("{key}", server_url="{url}")'),
        ("Node", f"amplitude.init('{key}', {{ serverUrl: '{url}' }})"),
        (
            "Browser",
            f"amplitude.init('{key}', "
            f"{{ serverUrl: '{url}', remoteConfig: {{ fetchRemoteConfig: false }} }})",
        ),
    ]
    if url.startswith("https:"):  # Amplitude's Java SDK takes nothing else
        lines.append(("Java", f'client.setServerUrl("{url}");'))
    return lines


def _facts(listening: Listening) -> list[tuple[str, str]]:
    newest = listening.max_events
    which = "all events" if newest is None else f"the newest {counted(newest, 'event')}"
    where = "in memory, until it ends" if listening.data is None else f"in {listening.data}"
    facts = [("keeps", f"{which} {where}")]
    if listening.faults:
        facts.append(("faults", ", ".join(listening.faults)))
    if listening.has_documented_rates:
        facts.append(("rates", "as documented: 30 events a second per user or device, 1,000 on /batch"))
    if listening.api_keys:
        keys = "the API key" if listening.api_keys == 1 else f"the {listening.api_keys} API keys"
        facts.append(("accepts", f"only {keys} given with --api-key"))
    return facts


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
