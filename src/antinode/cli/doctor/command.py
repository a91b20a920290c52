"""`antinode doctor`: its options, and the checks in their order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import rich_click as click

from antinode.cli.params.destination import Destination, destination_options, read_destination
from antinode.cli.params.options import timeout_option
from antinode.cli.ui import console
from antinode.cli.ui.errors import EXIT_FAILED
from antinode.cli.ui.output import write_json

if TYPE_CHECKING:
    from antinode._options import Options
    from antinode.cli.doctor.findings import DoctorFinding
    from antinode.cli.doctor.network import Route


@click.command(short_help="Check whether events would arrive, and say what to do.")
@destination_options()
@click.option("--storage", type=click.Path(), metavar="DIR", help="Look at this spool directory.")
@click.option("--dead-letters", type=click.Path(), metavar="FILE", help="Look at this file of dead letters.")
@click.option("--send", "sends", is_flag=True, help="Send a real test event of the type `antinode doctor`.")
@click.option("--offline", is_flag=True, help="Leave the network alone.")
@timeout_option("How long to wait at each step.", 5.0)
@click.option(
    "--migrate",
    type=click.Path(exists=True),
    metavar="PATH",
    help="Say instead, line by line, what code that uses another SDK has to change. Runs none of it.",
)
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")
def doctor(
    storage: str | None,
    dead_letters: str | None,
    sends: bool,
    offline: bool,
    timeout: float,
    migrate: str | None,
    is_json: bool,
    **given: Any,
) -> None:
    """Check whether events would arrive from here, and say what to do about what is wrong.

    Looks at the API key, the way to the server (proxy, name, connection, TLS, an empty request), this
    machine's clock, the spool directory, versions, and what the environment says of threads and forks. Run it
    where your service runs, with the options that it gives to antinode.init. The API key is never shown, and
    without --send not sent.

    The exit code is 0 if there is no problem, 1 if there is one; warnings do not count.

    With --migrate, nothing of that is done: the Python files below PATH are read, and every place that uses
    amplitude-analytics, segment-analytics-python, posthog or mixpanel is named, with the code to write
    instead. The exit code is 0 if there is nothing to change, and 1 if there is.

    \b
    Examples:
      antinode doctor
      antinode doctor --send --zone EU
      antinode doctor --storage /var/spool/my-service/antinode
      antinode doctor --migrate src
      antinode doctor --local --json | jq '.findings[] | select(.verdict == "problem")'
    """
    if migrate is not None:
        from antinode.cli.doctor.migration.report import tell  # noqa: PLC0415 - not for help and completion

        if tell(migrate, is_json=is_json):
            raise SystemExit(EXIT_FAILED)
        return
    from antinode.cli.doctor.report import print_finding, print_sum  # noqa: PLC0415 - not for help and completion

    destination = read_destination(given)
    # Apart, since what is sent must not touch the spool.
    kept = {name: value for name, value in (("storage", storage), ("dead_letters", dead_letters)) if value}
    options = Destination(None, destination.options | kept).check()
    destination.url()
    if offline and sends:
        raise click.UsageError("--send needs the network: leave --offline out")
    findings = []
    with console.Waiting(patience_s=0) as waiting:
        waiting.tell("Checking …")
        for finding in _findings(destination, options, sends=sends, offline=offline, timeout=timeout):
            findings.append(finding)
            if not is_json:
                waiting.hide()
                print_finding(console.out(), finding)
                waiting.tell("Checking …")
    problems = sum(finding.verdict == "problem" for finding in findings)
    if is_json:
        warnings = sum(finding.verdict == "warning" for finding in findings)
        write_json({"ok": not problems, "problems": problems, "warnings": warnings, "findings": findings})
    else:
        print_sum(console.out(), findings)
    if problems:
        raise SystemExit(EXIT_FAILED)


def _findings(
    destination: Destination, options: Options, *, sends: bool, offline: bool, timeout: float
) -> Iterator[DoctorFinding]:
    from antinode.cli.doctor import key, network, storage, surroundings, versions  # noqa: PLC0415 - as above

    key_finding = key.check_key(destination)
    yield key_finding
    if offline:
        yield from network.skip_way("--offline was given")
    else:
        yield from network.check_way(_way(destination.url(), options, timeout))
    if sends:
        yield _sent(destination, timeout, has_key=key_finding.verdict != "problem")
    if options.storage is not None:
        yield from storage.check_spool(options.storage, options.max_spool_bytes)
    if options.dead_letters is not None:
        yield storage.check_dead_letters(options.dead_letters)
    yield from versions.check_versions()
    yield from surroundings.check_surroundings(os.environ)


def _way(url: str, options: Options, timeout: float) -> Route:
    from antinode._delivery.http.address import parse_target  # noqa: PLC0415
    from antinode.cli.doctor.network import Route  # noqa: PLC0415 - as above

    address, _ = parse_target(url)
    bundle = None if options.ca_bundle is None else os.fspath(options.ca_bundle)
    return Route(
        url,
        address.scheme,
        address.host,
        address.port,
        proxy=options.proxy,
        ca_bundle=bundle,
        timeout=timeout,
    )


def _sent(destination: Destination, timeout: float, *, has_key: bool) -> DoctorFinding:
    from antinode.cli.doctor.findings import DoctorFinding  # noqa: PLC0415 - as above
    from antinode.cli.send.sending import send  # noqa: PLC0415

    if not has_key:
        return DoctorFinding("test event", "unchecked", "there is no key to send it with")
    event = {"event_type": "antinode doctor", "user_id": "antinode-doctor"}
    fate = send(event, destination, timeout=timeout)
    sentence = fate.sentence().rstrip(".")
    if not fate.is_delivered:
        return DoctorFinding("test event", "problem", sentence, fate.advice)
    return DoctorFinding("test event", "ok" if fate.is_confirmed else "warning", sentence, fate.advice)
