"""Which options would say what the columns of a file are: by what such columns are usually called."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Sequence
from typing import Final

_USUAL: Final = {
    "--event-type": ("event_type", "event", "event_name", "event_text", "action", "activity", "name"),
    "--user-id": (
        "user_id",
        "user",
        "distinct_id",
        "customer_id",
        "account_id",
        "member_id",
        "uid",
        "identity",
    ),
    "--device-id": (
        *("device_id", "anonymous_id", "user_pseudo_id", "domain_userid", "client_id", "visitor_id"),
        *("cookie_id", "device"),
    ),
    "--time": (
        *(
            "time",
            "timestamp",
            "event_time",
            "event_timestamp",
            "at",
            "occurred_at",
            "datetime",
            "created_at",
        ),
        *("derived_tstamp", "collector_tstamp", "original_timestamp", "ts", "date"),
        *("event_date", "sent_at"),
    ),
    "--insert-id": ("insert_id", "$insert_id", "uuid", "message_id", "event_id"),
}
"""The better ones first."""
_OF_EVENTS: Final = ("properties", "event_properties", "event_params", "params")
_OF_USERS: Final = ("user_properties", "person_properties", "context.traits", "traits")
_MOST_NAMES: Final = 40
_MOST_SHOWN: Final = 60


def fitting_options(names: Sequence[str]) -> list[str]:
    """Options that would make events of rows with these columns, as they are typed."""
    by_spelling: dict[str, str] = {}
    for name in sorted(names, key=lambda each: each.count(".")):
        by_spelling.setdefault(_spelling(name.rpartition(".")[2]), name)
    found: list[str] = []
    used: set[str] = set()
    for option, usual in _USUAL.items():
        column = next((by_spelling[key] for key in map(_spelling, usual) if key in by_spelling), None)
        if column is not None and column not in used:
            used.add(column)
            found.append(f"{option} {shlex.quote(column)}")
        elif option in ("--event-type", "--time"):
            found.append(f"{option} COLUMN")
    if not any(each.startswith(("--user-id", "--device-id")) for each in found):
        found.insert(1, "--user-id COLUMN")
    tops = {name.rpartition(".")[0] for name in names if "." in name}
    held = [f"--properties '{each}.*'" for each in _OF_EVENTS if each in tops]
    found += held[:1] or ["--properties '*'"]
    found += [f"--user-properties '{each}.*'" for each in _OF_USERS if each in tops][:1]
    return found


def time_column(names: Sequence[str]) -> str | None:
    """The column that most likely says when."""
    spelled = {_spelling(each): each for each in names}
    return next((spelled[key] for key in map(_spelling, _USUAL["--time"]) if key in spelled), None)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The column that `name` was probably meant to be."""
    spelled = {_spelling(each): each for each in names}
    close = difflib.get_close_matches(_spelling(name), spelled, n=1, cutoff=0.7)
    return spelled[close[0]] if close else None


def listed(names: Sequence[str]) -> str:
    """The columns in words, as many as can be read."""
    shown = ", ".join(name[:_MOST_SHOWN] or "(without a name)" for name in names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more:,} more" if more > 0 else shown


def _spelling(name: str) -> str:
    return name.casefold().translate(_IGNORED)


_IGNORED: Final = str.maketrans("", "", "_- .")
