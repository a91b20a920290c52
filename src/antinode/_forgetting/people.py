"""Who is to be forgotten, and which events are theirs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec


class _Ids(msgspec.Struct):
    user_id: str | None = None
    device_id: str | None = None


class _Letter(msgspec.Struct):
    event: _Ids | None = None


_decode_event = msgspec.json.Decoder(_Ids).decode
_decode_letter = msgspec.json.Decoder(_Letter).decode


class PeopleToForget(msgspec.Struct, frozen=True):
    """Users by their ids, and those who are known by a device alone."""

    user_ids: frozenset[str] = frozenset()
    device_ids: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return "<PeopleToForget>"  # whoever is to be forgotten is in no log

    def own(self, body: bytes) -> bool:
        """Whether an event, as it goes on the wire, is one of theirs."""
        try:
            return self._are(_decode_event(body))
        except (ValueError, RecursionError):
            return False

    def own_letter(self, line: bytes) -> bool:
        """Whether a line of a file of dead letters, or of events, holds an event of theirs."""
        try:
            letter = _decode_letter(line)
            return self._are(letter.event) if letter.event is not None else self._are(_decode_event(line))
        except (ValueError, RecursionError):
            return False

    def _are(self, ids: _Ids) -> bool:
        if ids.user_id is not None:
            return ids.user_id in self.user_ids
        return ids.device_id is not None and ids.device_id in self.device_ids


def people_of(user_id: Any, device_id: Any) -> PeopleToForget:
    """The people that these ids name, each an id or several. Raises `ValueError` and `TypeError`."""
    people = PeopleToForget(_ids("user_id", user_id), _ids("device_id", device_id))
    if not (people.user_ids or people.device_ids):
        raise ValueError("forget() needs a user_id, or the device_id of somebody who has none")
    return people


def _ids(name: str, given: object) -> frozenset[str]:
    if given is None:
        return frozenset()
    ids = frozenset((given,)) if isinstance(given, str) else given
    if not isinstance(ids, Iterable) or isinstance(ids, (bytes, dict)):
        raise TypeError(f"{name} must be a string, or several, not {type(given).__name__}")
    found = list(ids)
    if not all(isinstance(each, str) for each in found):
        raise TypeError(f"{name} must be a string, or several strings")
    if not all(found):
        raise ValueError(f"{name} must not be empty")
    return frozenset(found)
