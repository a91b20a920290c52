"""`antinode demo`: its options, and the run from beginning to verdict."""

from __future__ import annotations

import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click

from antinode._protocol.words import counted
from antinode.cli.ui.errors import EXIT_FAILED, NotSetUp

if TYPE_CHECKING:
    from antinode.cli.demo.clickstream import Event

_API_KEY: Final = "demo-key-of-no-project"


@click.command(short_help="Watch events survive a server that keeps having accidents.")
@click.option(
    "--open", "is_opened", is_flag=True, help="Watch it in a browser; the server stays up until Ctrl-C."
)
@click.option("--fast", is_flag=True, help="Log at full speed and throttle nobody: a few seconds.")
@click.option("--no-faults", is_flag=True, help="With a server that is always well.")
@click.option("--seed", type=int, default=2, show_default=True, metavar="N", help="Of the random accidents.")
@click.option("--events", "limit", type=click.IntRange(min=1), metavar="N", help="Only the first N events.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Send this clickstream, a gzipped CSV file such as examples/data/ecom.csv.gz.",
)
@click.option("--plain", is_flag=True, help="Lines, in a terminal too.")
def demo(
    is_opened: bool, fast: bool, no_faults: bool, seed: int, limit: int | None, data: Path | None, plain: bool
) -> None:
    """Send a shop's clickstream to a local Amplitude that keeps having accidents, and count what arrives.

    The server answers some requests with 500, 503 or 413, cuts some connections before it has stored the
    events and some after, goes down for two seconds, and throttles one user. At the end, what it holds is
    compared with what was logged: every event exactly once, in order per user. Takes about 40 seconds, 30 of
    them those of the throttled user.

    The exit code is 0 if everything has arrived as it should, and 1 if not.

    \b
    Examples:
      antinode demo
      antinode demo --open
      antinode demo --fast --seed 7
    """
    events = _events(data, limit)
    try:
        from antinode.server import running  # noqa: PLC0415 - only the demo needs the extra
    except ImportError as error:
        raise NotSetUp(f'demo needs its extra: pip install "antinode[server]" ({error})') from None
    import logging  # noqa: PLC0415 - not for help and completion

    from antinode._client import Client  # noqa: PLC0415 - the same
    from antinode.cli.demo.clickstream import busiest_early_user  # noqa: PLC0415
    from antinode.cli.demo.display import DemoOutput, choose_display  # noqa: PLC0415
    from antinode.cli.demo.run import ACCIDENTS, BAD_LUCK, LOGGING_TIME, Run  # noqa: PLC0415
    from antinode.cli.demo.verdict import conclude  # noqa: PLC0415

    # The display tells what the library would warn of, and warnings in between would tear it up.
    logging.getLogger("antinode").addHandler(logging.NullHandler())
    output = DemoOutput()
    throttled = None if fast or no_faults else busiest_early_user(events)
    bad_luck = [] if no_faults else list(BAD_LUCK)
    if throttled is not None:
        bad_luck.insert(0, f"429:user={throttled}")
    with running(faults=bad_luck, seed=seed) as amplitude:
        users = len({event["user_id"] for event in events})
        output.line(f"{counted(len(events), 'event')} of {counted(users, 'user')} → {amplitude.server_url}")
        output.line(f"Watch them arrive on {amplitude.url}")
        if is_opened:
            webbrowser.open(amplitude.url)
        client = Client("demo").init(_API_KEY, server_url=amplitude.server_url)
        try:
            run = Run(events, amplitude, client, throttled, {} if no_faults else ACCIDENTS)
            with choose_display(output, plain=plain) as display:
                for progress in run.steps(0.0 if fast else LOGGING_TIME):
                    display.show(progress)
            is_good = conclude(run, progress, amplitude, output)
            if is_opened:
                output.line()
                output.line(f"{amplitude.url} stays up for you to look around: Ctrl-C ends it.")
                with suppress(KeyboardInterrupt):
                    threading.Event().wait()
        finally:
            client.shutdown(timeout=5)
    if not is_good:
        raise SystemExit(EXIT_FAILED)


def _events(data: Path | None, limit: int | None) -> list[Event]:
    from antinode.cli.demo.clickstream import made_up, read_shop  # noqa: PLC0415 - not for help and completion

    if data is None:
        return made_up(limit)
    try:
        events = read_shop(data, limit)
    except (OSError, ValueError) as error:
        raise NotSetUp(f"{data} cannot be read as a clickstream: {error}") from None
    if not events:
        raise NotSetUp(f"{data} holds no events")
    return events
