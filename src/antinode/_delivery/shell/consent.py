"""Asking the application, before a request is made, whose events may be in it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeAlias

from antinode._delivery.core.backlog import ids_of
from antinode._delivery.core.withholding import Withheld
from antinode._delivery.record import Record
from antinode._delivery.shell.log_limiter import write

MayLog: TypeAlias = Callable[["str | None", "str | None"], "bool | None"]

_TOOK_TOO_LONG: Final = "the answer took longer than request_timeout_millis"


class ConsentDesk:
    """Asks `may_log` once for each user of an upload, on the thread that makes the request."""

    def __init__(self, may_log: MayLog, clock: Callable[[], float]) -> None:
        self._may_log = may_log
        self._clock = clock

    def sort(self, records: list[Record], timeout: float) -> tuple[list[Record], Withheld]:
        """The records that may be sent, and the others. What is not answered in time is not known."""
        deadline = self._clock() + timeout
        answers: dict[tuple[str | None, str | None], bool | None] = {}
        allowed: list[Record] = []
        refused: list[Record] = []
        unknown: list[Record] = []
        why = ""
        for record in records:
            ids = ids_of(record)
            if ids not in answers:
                problem = _TOOK_TOO_LONG if self._clock() > deadline else ""
                answers[ids], told = (None, problem) if problem else self._ask(*ids)
                if answers[ids] is not None and self._clock() > deadline:
                    answers[ids], told = None, _TOOK_TOO_LONG
                why = why or told
            answer = answers[ids]
            (unknown if answer is None else allowed if answer else refused).append(record)
        return allowed, Withheld(refused, unknown, why)

    def _ask(self, user_id: str | None, device_id: str | None) -> tuple[bool | None, str]:
        if user_id is None and device_id is None:
            return True, ""  # of a group, and of no user
        try:
            answer: object = self._may_log(user_id, device_id)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # Not its text, which may name the user.
            write(logging.DEBUG, "asking for consent raised", exc_info=True)
            return None, f"asking raised {type(error).__name__}"
        if answer is True or answer is False:
            return answer, ""
        return None, "the answer was None" if answer is None else f"the answer was a {type(answer).__name__}"
