"""What the API takes and gives beside what the server holds: its clock, its faults, its rules, its waits."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from antinode.server.engine import Keep
from antinode.server.faults.faults import Fault, FaultView, parse
from antinode.server.numbers import Limit, Natural

LATEST_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""


class ClockView(msgspec.Struct, frozen=True, kw_only=True):
    """What time it is for the server."""

    now_ms: int
    """Milliseconds since 1970."""
    is_fixed: bool
    """Whether it stands still."""
    ahead_ms: int
    """How far a running clock is ahead of the real one."""


class ClockChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to set the clock. An empty object changes nothing."""

    at_ms: Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)] | msgspec.UnsetType | None = msgspec.UNSET
    """Stand still at this time, in milliseconds since 1970; null: go by real time again."""
    advance_ms: Annotated[int, msgspec.Meta(ge=-LATEST_MS, le=LATEST_MS)] = 0
    """Then move by this much."""


class GivenFault(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault by its parts or by its spelling, such as `{"spelling": "500@10%"}`."""

    action: Literal["answer", "delay", "drop", "down"] | None = None  # type: ignore[assignment]  # or spelling
    """`answer` with `status`, `delay` the answer, `drop` the connection, or be `down` for a time."""
    spelling: str | None = None
    """The whole fault as the command line writes it, instead of all other keys."""

    def __post_init__(self) -> None:
        pass  # `fault` checks the parts

    def fault(self) -> Fault:
        """The fault itself. Raises ValueError that says what to write instead."""
        parts = msgspec.structs.asdict(self)
        del parts["spelling"]
        if self.spelling is not None:
            if self != GivenFault(spelling=self.spelling):
                raise ValueError("give either spelling or the parts of a fault, not both")
            return parse(self.spelling)
        if self.action is None:
            raise ValueError(
                'give an action ("answer", "delay", "drop" or "down") or a spelling such as "500@10%"'
            )
        return Fault(**parts)


class FaultList(msgspec.Struct, frozen=True, kw_only=True):
    """Faults, oldest first."""

    faults: list[FaultView]


class Reset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a reset leaves alone."""

    keep: list[Keep] = []
    """The rest is forgotten, or goes back to how the server was started."""


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """What was there when the wait ended."""

    events: int
    """Events accepted, identifies too, duplicates not."""
    uploads: int
    """Requests, of every status."""
    reached: bool
    """Whether it was as many as were waited for."""


class SearchParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which users or groups."""

    search: str = ""
    """What one of the names holds, in any case; empty: all."""
    limit: Limit = 100


class ProjectParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Of which project."""

    project_id: Natural | None = None
    """Not given: the first that knows the name."""


class StatsParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Over which time."""

    span_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 300
    """Seconds of the series: by the second up to 600, by the minute beyond."""


class WaitParameters(msgspec.Struct, frozen=True, kw_only=True):
    """What to wait for: events, uploads, or both."""

    events: Natural | None = None
    """So many accepted in all since the server began or was reset."""
    uploads: Natural | None = None
    """So many requests in all, of every status."""
    timeout: Annotated[float, msgspec.Meta(ge=0, le=600)] = 10.0
    """Seconds."""


class ExportParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which hours, by the time of receipt, both inclusive, UTC."""

    start: str = ""
    """The first, such as 20261104T18."""
    end: str = ""
    """The last, such as 20261104T23."""
