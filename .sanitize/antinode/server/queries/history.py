"""What happened to one event, in words: the answer to "why is it missing". Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from antinode._protocol.fields import GROUP_IDENTIFY, IDENTIFY
from antinode.server.models import Arrival, EventHistory
from antinode.server.queries.export_rows import timestamp

_LONGEST: Final = 300


def history(insert_id: str, arrivals: Sequence[Arrival]) -> EventHistory:
    """Everything known of an insert_id, from the times it came, oldest first."""
    accepted = [each for each in arrivals if each.event.outcome == "accepted"]
    return EventHistory(
        insert_id=insert_id,
        outcome="accepted" if accepted else arrivals[-1].event.outcome,
        summary=_of_accepted(arrivals, accepted) if accepted else _of_missing(arrivals),
        arrivals=list(arrivals),
    )


def _of_accepted(arrivals: Sequence[Arrival], accepted: Sequence[Arrival]) -> str:
    first = accepted[0]
    words = f"Accepted {_when(first)}"
    if len(accepted) > 1:
        places = " and ".join(_when(each) for each in accepted[:3])
        words = (
            f"Accepted {_times(len(accepted))}, {places}: copies of other devices or projects, "
            "or more than seven days apart, count anew"
        )
    later = [each for each in arrivals if each.event.outcome == "duplicate"]
    if later:
        words += f"; {_copies(len(later))} recognised by {_their(later)} insert_id and dropped"
    refused = [each for each in arrivals if each.event.outcome in ("rejected", "returned")]
    if refused:
        words += f"; refused {_times(len(refused))} besides: {_reason(refused[-1])}"
    if first.upload is not None and first.upload.status != 200:
        words += f". Its sender does not know: {_answered(first)}"
    sentences = f"{words}."
    if first.event.event_type in (IDENTIFY, GROUP_IDENTIFY):
        sentences += f" As an `{first.event.event_type}` it changes properties; it is no row of an export."
    return sentences


def _of_missing(arrivals: Sequence[Arrival]) -> str:
    last = arrivals[-1]
    came = (
        f"Came {_when(last)}" if len(arrivals) == 1 else f"Came {_times(len(arrivals))}, last {_when(last)},"
    )
    outcomes = {each.event.outcome for each in arrivals}
    if outcomes == {"duplicate"}:
        return f"{came} and was dropped as a copy of an event that is no longer kept here."
    every = ("", " both times", " each time")[min(len(arrivals), 3) - 1] if len(outcomes) == 1 else ""
    if last.event.outcome == "rejected":
        return f"{came} and was refused{every}: {_reason(last)}."
    return f"{came} and was not stored{every}: {_reason(last)}. Its sender has to send it again."


def _reason(arrival: Arrival) -> str:
    errors = [problem.message for problem in arrival.event.problems if problem.severity == "error"]
    if errors:
        return _cut("; ".join(errors))
    whole = "nothing is wrong with the event, but its upload was refused as a whole"
    return f"{whole}, {_answered(arrival)}" if arrival.upload is not None else whole


def _answered(arrival: Arrival) -> str:
    upload = arrival.upload
    if upload is None:
        return ""
    cause = f" by the fault {upload.fault}" if upload.fault is not None else ""
    if not upload.status:
        return f"its connection was closed{cause}"
    error = f" ({_cut(upload.error)})" if upload.error else ""
    return f"it was answered {upload.status}{error}{cause}"


def _when(arrival: Arrival) -> str:
    return f"at {timestamp(arrival.event.received_at)[:19]} UTC in upload {arrival.event.upload_id}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _copies(count: int) -> str:
    return "a later copy was" if count == 1 else f"{count} later copies were"


def _their(copies: Sequence[Arrival]) -> str:
    return "its" if len(copies) == 1 else "their"


def _cut(text: str) -> str:
    text = text.rstrip(".")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
