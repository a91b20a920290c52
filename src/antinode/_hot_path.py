"""The compiled path of an ordinary event (`native/log.c`), where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from antinode import _compiled
from antinode._encoding import encoder as encoder_module
from antinode._lifecycle.fork import page
from antinode._protocol.ids import INVALID_IDS

if TYPE_CHECKING:
    from antinode._delivery.record import Delivery
    from antinode._delivery.shell.sender import Sender
    from antinode._encoding.encoder import EventEncoder


def use_compiled_log_event(client: type[Any]) -> None:
    """Put the compiled method in the place of the Python one, which it calls for what is unusual."""
    if _compiled.native is not None:
        with suppress(TypeError):
            method = _compiled.native.log_method(client, client.log_event.__doc__)
            client.log_event = method


def make_hot(encoder: EventEncoder, sender: Sender) -> Callable[[object], Delivery | None] | None:
    """What logs an ordinary event of this client, and returns None for others; None if not compiled."""
    if _compiled.native is None:
        return None
    log: Callable[[object], Delivery | None]
    try:
        log = _compiled.native.Log(
            encoder,
            encoder_module,
            INVALID_IDS,
            orjson,
            sender,
            page,
            time.time_ns,
            time.monotonic,
            sender.has_store,
            sender.config.is_strict,
        )
    except (TypeError, AttributeError, BufferError):
        # There is such a page on Linux alone, and a library may have changed how its objects lie in memory.
        return None
    return log
