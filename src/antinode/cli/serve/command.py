"""`antinode serve`: its options, and what they are made into."""

from __future__ import annotations

import errno
import socket
import threading
import webbrowser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import rich_click as click

from antinode.cli.plan.options import loaded
from antinode.cli.serve import encryption
from antinode.cli.serve.banner import Listening, is_loopback
from antinode.cli.serve.feed import FOR_MACHINES, FOR_PEOPLE
from antinode.cli.serve.machine import LineWriter
from antinode.cli.serve.output import ServeOutput
from antinode.cli.serve.people import PeopleWriter
from antinode.cli.ui import console
from antinode.cli.ui.errors import Failed, NotSetUp

if TYPE_CHECKING:
    from antinode.server.plan_file import PlanReading


@click.command(short_help="Run a local Amplitude and watch events arrive.")
@click.option(
    "--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Address to listen on."
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Answer the page and the API under this name too, which has to be yours. Repeatable.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8300,
    metavar="PORT",
    show_default=True,
    help="Port to listen on; 0 takes any free one.",
)
@click.option(
    "--tls",
    "is_tls",
    is_flag=True,
    help="Serve HTTPS, with a certificate for localhost of an authority that is made on first use; "
    "prints what makes clients trust it.",
)
@click.option(
    "--cert",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="PATH",
    help="Serve HTTPS with this certificate, in PEM.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="PATH",
    help="The key of --cert, in PEM; not needed if it is in the same file.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Keep everything in this file, and go on with what it holds. Without it, memory is used.",
)
@click.option(
    "--max-events",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep the newest N events only. Without --data the default is 200,000; with it, all are kept.",
)
@click.option(
    "--faults",
    multiple=True,
    metavar="FAULTS",
    help="Misbehave: 500@10%, 429:user=ID@next=3, delay:2s@20%, drop-after@5%, down:10s … "
    "Repeatable, or separated by commas.",
)
@click.option(
    "--seed",
    type=int,
    metavar="N",
    help="Make the chances of --faults come out the same in each run.",
)
@click.option(
    "--rates",
    type=click.Choice(["documented", "unlimited"]),
    default="unlimited",
    show_default=True,
    help="Throttle users and devices as Amplitude does, or not at all.",
)
@click.option(
    "--api-key",
    "api_keys",
    multiple=True,
    metavar="KEY",
    help="Accept only this API key. Repeatable. Without it, any key is accepted.",
)
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PLAN",
    help="Show on the page, under Schema, what is not as this tracking plan says. Everything is accepted. "
    "A change of the file is noticed.",
)
@click.option("--open", "is_opened", is_flag=True, help="Open the page in a browser.")
@click.option("--quiet", is_flag=True, help="Print where it listens, and nothing else.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON lines: where it listens, then each upload.")
def serve(
    host: str,
    allowed_hosts: tuple[str, ...],
    port: int,
    is_tls: bool,
    cert: Path | None,
    key: Path | None,
    data: Path | None,
    max_events: int | None,
    faults: tuple[str, ...],
    seed: int | None,
    rates: Literal["documented", "unlimited"],
    api_keys: tuple[str, ...],
    plan_path: Path | None,
    is_opened: bool,
    quiet: bool,
    is_json: bool,
) -> None:
    """Run a local Amplitude that any Amplitude SDK can be pointed at.

    It answers as Amplitude does, shows each upload here and everything else on its web page, and fails on
    purpose if asked to. It runs until Ctrl-C, which is a success: the exit code is 0. It is 1 if the port is
    taken or the data cannot be used, 2 if an option cannot be understood or the plan cannot be read.

    \b
    Examples:
      antinode serve
      antinode serve --port 0 --open
      antinode serve --tls
      antinode serve --data events.db --max-events 1000000
      antinode serve --plan tracking-plan.yaml
      antinode serve --faults 500@10%,delay:2s@20% --rates documented
      antinode serve --json | jq 'select(.type == "upload" and .status != 200)'
    """
    try:
        from antinode.server import plan_file, rules, settings  # noqa: PLC0415
        from antinode.server.faults import faults as spelling  # noqa: PLC0415 - only serving needs the extra
        from antinode.server.http import run  # noqa: PLC0415
        from antinode.server.storage import schema  # noqa: PLC0415

        if is_tls or cert is not None:
            import cryptography  # noqa: F401, PLC0415
    except ImportError as error:
        reason = error.__cause__ or error
        raise NotSetUp(f'serve needs its extra: pip install "antinode[server]" ({reason})') from None
    try:
        given_faults = [spelling.parse(each) for text in faults for each in text.split(",") if each.strip()]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--faults") from None
    if key is not None and cert is None:
        raise click.UsageError("--key is the key of a certificate: give --cert too")
    secured = None
    if cert is not None:
        secured = encryption.given(cert, key)
    elif is_tls:
        if not is_loopback(host) and host.strip("[]") not in _ANY_ADDRESS:
            raise click.UsageError(
                f"--tls makes a certificate for localhost, and nobody asks for that at {host}: "
                "give one for it with --cert and --key"
            )
        secured = encryption.local(data)
    if max_events is None and data is None:
        max_events = settings.MAX_EVENTS_IN_MEMORY
    if is_json:
        output = ServeOutput(LineWriter(), None if quiet else FOR_MACHINES)
    else:
        output = ServeOutput(PeopleWriter(console.out(), is_quiet=quiet), None if quiet else FOR_PEOPLE)

    def announce(url: str) -> None:
        output.announce(
            Listening(
                url=url,
                server_url=f"{url}/2/httpapi",
                data=data,
                max_events=max_events,
                faults=[spelling.spell(each) for each in given_faults],
                has_documented_rates=rates == "documented",
                api_keys=len(api_keys),
                authority=secured.authority if secured else None,
                trust_lines=secured.trust_lines if secured else (),
            )
        )
        if is_opened:
            # Beside the server: a browser in the terminal keeps its caller waiting until it is left.
            threading.Thread(target=_open, args=(url,), name="antinode-open", daemon=True).start()

    if not is_loopback(host):
        console.err().print(
            f"Warning: on {host} everyone who can reach this machine can read, send and delete events here. "
            "There is no password.",
            style="yellow",
        )
    chosen = settings.ServerSettings(
        host=host,
        allowed_hosts=allowed_hosts,
        port=port,
        tls=secured.context if secured else None,
        data=data,
        max_events=max_events,
        rules=rules.Rules(api_keys=api_keys, rates=rates),
        faults=tuple(given_faults),
        seed=seed,
        plan=None if plan_path is None else loaded(plan_file.PlanFile, plan_path),
        on_plan=None if plan_path is None else partial(_tell_plan, plan_path),
        on_upload=output.on_upload,
    )
    try:
        run.serve(chosen, announce)
    except schema.DataError as error:
        raise Failed(str(error)) from None
    except (OSError, UnicodeError) as error:
        raise Failed(why_not_listening(error, host, port)) from None
    finally:
        output.close()


def _tell_plan(path: Path, found: PlanReading) -> None:
    console.err().print(found.told(path), style="yellow" if found.error else "", soft_wrap=True)


_ANY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


def _open(url: str) -> None:
    if not webbrowser.open(url):
        console.err().print(f"No browser could be opened: open {url} yourself.", style="yellow")


def why_not_listening(error: OSError | UnicodeError, host: str, port: int) -> str:
    """Why a server cannot listen there, and what to do about it."""
    if isinstance(error, UnicodeError):  # a host that cannot be looked up at all
        return _no_address(host)
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use: stop what listens there, "
            "or choose another one with --port (0 takes any free one)"
        )
    if error.errno == errno.EACCES:
        return f"port {port} needs rights that this user does not have: choose one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return _no_address(host)
    return f"cannot listen on port {port} of {host}: {error}"


def _no_address(host: str) -> str:
    return f"{host} is no address of this machine: write --host 127.0.0.1, or leave it out"
