"""One event against the API's rules: what Amplitude would object to, and what can be mended before it does.

`problems` judges an event as the server would; `repair` mends what has one obvious meaning; `examine` does
both. None of them changes the event it is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from antinode._protocol.fields import ID_FIELDS
from antinode._protocol.limits import DEFAULT_MIN_ID_LENGTH
from antinode._protocol.objections import ESSENTIAL, Problem, ProblemKind, problems
from antinode._protocol.remarks import Remark
from antinode._protocol.repair import repair


class Examined(msgspec.Struct, frozen=True):
    """An event after `repair` and `problems`. It may be sent if `problems` is empty."""

    event: dict[str, Any]
    """As in `Repaired`. It is encodable in any case, so that a refused event can be kept and shown."""
    notes: tuple[Remark, ...]
    """As in `Repaired`."""
    problems: tuple[Problem, ...]
    """In the order of the server's checks: missing, invalid, id lengths."""


def examine(
    event: Any,
    *,
    min_id_length: int = DEFAULT_MIN_ID_LENGTH,
    now_ms: int,
    leaves_out: bool = False,
) -> Examined:
    """Mends `event` and finds what is still wrong with it.

    `min_id_length` is that of the request, `now_ms` the time in milliseconds since 1970. With `leaves_out`,
    a bad field costs only itself, with a note; only ids, the event type and what is no event are problems.
    Raises nothing but MemoryError, whatever the event holds.
    """
    repaired = repair(event, min_id_length, now_ms)
    reported = {problem.field for problem in repaired.problems}
    if not reported.isdisjoint(ID_FIELDS):
        reported.update(ID_FIELDS)  # an id that cannot be encoded is not also a missing one
    if "event" in reported:
        return Examined(repaired.event, repaired.notes, repaired.problems)
    remaining = [each for each in problems(repaired.event, min_id_length) if each.field not in reported]
    found = sorted((*repaired.problems, *remaining), key=lambda problem: _ORDER[problem.kind])
    examined = Examined(repaired.event, repaired.notes, tuple(found))
    return _without_bad_fields(examined) if leaves_out and found else examined


def _without_bad_fields(examined: Examined) -> Examined:
    bad = [each for each in examined.problems if each.field not in ESSENTIAL]
    event = {key: value for key, value in examined.event.items() if key not in {each.field for each in bad}}
    notes = [
        Remark(f"{each.message} (the event goes without it)", subject=each.field, objection=each.message)
        for each in bad
    ]
    remaining = tuple(each for each in examined.problems if each.field in ESSENTIAL)
    return Examined(event, (*examined.notes, *notes), remaining)


_ORDER: Final[Mapping[ProblemKind, int]] = {"missing": 0, "invalid": 1, "id_length": 2}
