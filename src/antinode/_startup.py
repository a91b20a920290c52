"""What `init` does besides making the parts: it sets up logging, and warns of what will go wrong."""

from __future__ import annotations

import logging
import sys

from antinode._api_key import placeholder_warning
from antinode._delivery.shell.log_limiter import write
from antinode._factory import is_in_the_clear
from antinode._lifecycle import fork
from antinode._options import Options

_log = logging.getLogger("antinode")


def set_up_logging(options: Options) -> None:
    """Bring the logger to the level that the options ask for, with `debug` on a terminal of its own."""
    if options.log_level is not None:
        _log.setLevel(options.log_level)
    elif options.debug:
        _log.setLevel(logging.DEBUG)
    if options.debug and not _log.hasHandlers():
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s: %(message)s"))
        # Steps back once the application has set up logging: each line would come twice.
        handler.addFilter(lambda _: not logging.getLogger().handlers)
        _log.addHandler(handler)


def warn_of_key(key: str) -> None:
    """Say that the key is one out of an example, if it is."""
    if warning := placeholder_warning(key):
        write(logging.WARNING, warning)


def warn_of_second_init(client: object) -> None:
    """Say that a client which has a sender is initialised again, and waits for the events of before."""
    text = "%s is initialised again; the earlier events are sent before the new options hold"
    write(logging.WARNING, text, client)


def warn_of_surroundings(options: Options) -> None:
    """Say what of the process or the network will keep events from arriving, or from staying private."""
    if is_in_the_clear(options):
        write(
            logging.WARNING,
            "server_url is plain http to another machine: the API key and all events can be read on "
            "their way to it; write https://",
        )
    if fork.uwsgi_without_threads():
        write(
            logging.WARNING,
            "uWSGI runs without threads, so antinode cannot send in the background: "
            "start uWSGI with --enable-threads, or call flush() after each request",
        )
    if getattr(sys.modules.get("mod_wsgi"), "application_group", ""):
        write(
            logging.WARNING,
            "mod_wsgi may end this sub-interpreter without its exit handlers, and what is queued then is "
            "lost: write WSGIApplicationGroup %{GLOBAL} in Apache's configuration",
        )


def warn_not_initialised(name: str | None) -> None:
    """Say what to call on the instance of this name, to which somebody logs already."""
    call = f"get_instance({name!r}).init" if name else "antinode.init"
    write(
        logging.WARNING,
        "events are skipped because antinode is not initialised: call %s(API_KEY) first",
        call,
    )
