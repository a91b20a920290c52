"""A front in the foreground: what it says, and how it may fail to listen."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rich.text import Text

from antinode._errors import ConfigurationError
from antinode._version import __version__
from antinode.cli.relay.logs import set_up_logging
from antinode.cli.serve.banner import is_loopback
from antinode.cli.serve.command import why_not_listening
from antinode.cli.ui import console
from antinode.cli.ui.errors import Failed, NotSetUp
from antinode.cli.ui.output import unread_is_fine, write_json
from antinode.relay.front.site import FrontSettings, serve

if TYPE_CHECKING:
    from antinode.relay.figures import Delivering
    from antinode.relay.intake import Intake
    from antinode.relay.projects import Projects

_log = logging.getLogger("antinode.relay")


def serve_front(
    settings: FrontSettings,
    projects: Projects,
    intake: Intake,
    keeps: str,
    *,
    delivering: Delivering | None = None,
    log_level: str,
    is_json: bool,
) -> None:
    """Serve until SIGTERM or Ctrl-C. `keeps` says in a sentence where events are kept. Raises `Failed`."""
    set_up_logging(log_level, is_json=is_json)
    if not is_loopback(settings.host):
        _log.warning(
            "on %s everyone who can reach this machine can read the figures, and whoever knows an API key "
            "can send events; let others reach it by a proxy that asks for TLS, or give --cert",
            settings.host,
        )

    def announce(url: str) -> None:
        with unread_is_fine():
            if is_json:
                write_json(
                    {
                        "type": "listening",
                        "url": url,
                        "server_url": f"{url}/2/httpapi",
                        "projects": {each.name: each.fingerprint for each in projects},
                    }
                )
            else:
                _print_banner(url, projects, keeps)

    try:
        serve(settings, projects, intake, announce, delivering=delivering)
    except ConfigurationError as error:
        raise NotSetUp(str(error)) from None
    except (OSError, UnicodeError) as error:
        raise Failed(why_not_listening(error, settings.host, settings.port)) from None
    _log.info("the relay has ended")


def _print_banner(url: str, projects: Projects, keeps: str) -> None:
    out = console.out()
    out.print(
        Text.assemble(("antinode", "bold"), f" {__version__}: the relay at ", (url, "bold cyan")),
        soft_wrap=True,
    )
    out.print(Text.assemble(("  keeps     ", "dim"), keeps), soft_wrap=True)
    names = ", ".join(f"{each.name} ({each.fingerprint})" for each in projects)
    out.print(Text.assemble(("  projects  ", "dim"), names), soft_wrap=True)
    out.print(Text.assemble(("  SDKs      ", "dim"), f"server_url: {url}/2/httpapi"), soft_wrap=True)
    out.print("\nSIGTERM or Ctrl-C ends it.\n", style="dim")
