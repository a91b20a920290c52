"""What the relay logs, for people or for machines: never a key, never anything of an event."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, Final

from antinode._delivery.shell.log_limiter import PREFIX

FIGURES: Final = "antinode_figures"
"""The attribute of a log record that has figures for machines."""


def set_up_logging(level: str, *, is_json: bool) -> None:
    """Have everything of antinode logged to standard error, from this level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if is_json else _Text("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("antinode")
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False


class JsonLines(logging.Formatter):
    """A line is an object: `time` (ISO 8601, UTC), `level`, `logger`, `message`, and, if there are any,
    `exception`, and `figures` that the message has in words."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage().removeprefix(PREFIX),
        }
        if (figures := getattr(record, FIGURES, None)) is not None:
            line["figures"] = figures
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _Text(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = record.message.removeprefix(PREFIX)
        return super().formatMessage(record)
