"""Amplitude's Taxonomy API: reading what a project has planned, and changing it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from antinode._project_api import ProjectApi, ProjectUnreachable
from antinode.plan._taxonomy import (
    GROUP_PREFIX,
    USER_PREFIX,
    EventEntry,
    PropertyEntry,
    TaxonomyChange,
    TaxonomyEntries,
    What,
    is_carried,
)

if TYPE_CHECKING:
    from antinode._options import Options

_Entry = TypeVar("_Entry")

_ROOT: Final = "/api/2/taxonomy"
_PATHS: Final[dict[What, str]] = {
    "category": "category",
    "event": "event",
    "event property": "event-property",
    "user property": "user-property",
    "group property": "group-property",
}
_PREFIXES: Final[dict[What, str]] = {"user property": USER_PREFIX, "group property": GROUP_PREFIX}
_METHODS: Final = {"create": "POST", "update": "PUT", "delete": "DELETE"}
_TRIES: Final = 5
_BACKOFF_SECONDS: Final = 2.0
_NO_TEXT: Final = "it holds half a character, which no request can"
_HINTS: Final = {
    401: "is it the secret key of this project?",
    403: "is it the secret key of the project's first environment, and of the right zone?",
    404: "the Taxonomy API is part of Amplitude's Enterprise plan, or of the Govern add-on",
    429: "a project may ask for 7,200 an hour, where what changes something counts twice: go on later",
}


class TaxonomyError(Exception):
    """The API did not answer, or refuses everything. The message holds no key."""


class ChangeRefused(Exception):
    """The API refuses one change, and says why."""


class _Category(msgspec.Struct):
    name: str | None = None
    id: int | None = None


class _EventType(msgspec.Struct):
    event_type: str
    category: _Category | None = None
    description: str | None = None
    owner: str | msgspec.UnsetType | None = msgspec.UNSET
    is_active: bool | msgspec.UnsetType | None = msgspec.UNSET


class _Property(msgspec.Struct):
    event_property: str = ""
    user_property: str = ""
    group_property: str = ""
    description: str | None = None
    type: str | None = None
    regex: str | None = None
    enum_values: str | list[str] | None = None
    is_array_type: bool | None = None
    is_required: bool | None = None

    def entry(self) -> PropertyEntry:
        values = self.enum_values or ()
        texts = values.split(",") if isinstance(values, str) else values
        return PropertyEntry(
            type=self.type or "any",
            is_array_type=bool(self.is_array_type),
            enum_values=tuple(each.strip() for each in texts if each.strip()),
            regex=self.regex or "",
            description=self.description or "",
            is_required=bool(self.is_required),
        )


class _TaxonomyList(msgspec.Struct, Generic[_Entry]):
    data: list[_Entry]


class _Message(msgspec.Struct):
    message: str = ""


class _Refusal(msgspec.Struct):
    errors: list[_Message] = []


class TaxonomyClient:
    """Asks the API of the project of these options, one request at a time. Raises `ConfigurationError`."""

    def __init__(
        self,
        options: Options,
        api_key: str,
        secret_key: str,
        *,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._api = ProjectApi(options, api_key, secret_key, pause=pause)
        self.origin = self._api.origin

    def __repr__(self) -> str:
        return f"<TaxonomyClient {self.origin}>"

    def read(self, group_types: Iterable[str], watch: Callable[[str, float], object]) -> TaxonomyEntries:
        """What the project has planned, with the properties of these group types, which cannot be asked for.

        `watch` is told what is read, and which share is done. Raises TaxonomyError.
        """
        categories = self._list("category", _Category)
        found = [each for each in self._list("event", _EventType) if is_carried(each.event_type)]
        events = {}
        for number, each in enumerate(found):
            watch(f"properties of {each.event_type}", number / len(found))
            events[each.event_type] = EventEntry(
                category=(each.category.name if each.category is not None else None) or "",
                description=each.description or "",
                owner=None if each.owner is msgspec.UNSET else each.owner or "",
                is_active=None if each.is_active is msgspec.UNSET else bool(each.is_active),
                properties=self._properties("event property", event_type=each.event_type),
            )
        return TaxonomyEntries(
            events=events,
            users=self._properties("user property"),
            groups={kind: self._properties("group property", group_type=kind) for kind in group_types},
            categories=frozenset(each.name for each in categories if each.name),
        )

    def make(self, change: TaxonomyChange) -> None:
        """Make one change. Raises ChangeRefused, and TaxonomyError where no other would be made either."""
        path = _PATHS[change.what]
        form = dict(change.facts)
        if change.what == "event property":
            form["event_type"] = change.holder
        elif change.what == "group property":
            form["group_type"] = change.holder
        if change.action == "create":
            key = {"category": "category_name", "event": "event_type"}.get(change.what)
            form[key or path.replace("-", "_")] = change.name
        else:
            try:
                path += f"/{_segment(_PREFIXES.get(change.what, '') + change.name)}"
            except UnicodeEncodeError:
                raise ChangeRefused(_NO_TEXT) from None
        self._ask(_METHODS[change.action], path, form, is_change=True)

    def close(self) -> None:
        """Let its connections go."""
        self._api.close()

    def _properties(self, what: What, **of: str) -> dict[str, PropertyEntry]:
        prefix, key = _PREFIXES.get(what, ""), what.replace(" ", "_")
        found = self._list(_PATHS[what], _Property, of)
        return {
            getattr(each, key).removeprefix(prefix): each.entry()
            for each in found
            # Without their prefix stand properties of Amplitude's own.
            if getattr(each, key).startswith(prefix)
        }

    def _list(self, path: str, kind: type[_Entry], form: dict[str, str] | None = None) -> list[_Entry]:
        data = self._ask("GET", path, form or {})
        try:
            return msgspec.json.decode(data, type=_TaxonomyList[kind]).data  # type: ignore[valid-type]
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise TaxonomyError(f"{self.origin} answered what is not in the Taxonomy API's form") from None

    def _ask(self, method: str, path: str, form: dict[str, str], *, is_change: bool = False) -> bytes:
        try:
            text = urlencode(form)
        except UnicodeEncodeError:
            raise ChangeRefused(_NO_TEXT) from None
        # The documents have it in the body of every request; where others have none, clients use the query.
        query = f"?{text}" if text and method in ("GET", "DELETE") else ""
        try:
            answer = self._api.ask(
                method,
                f"{_ROOT}/{path}{query}",
                text.encode() if text else None,
                content_type="application/x-www-form-urlencoded",
                backoff=_BACKOFF_SECONDS,
                tries=_TRIES,
            )
        except ProjectUnreachable as error:
            raise TaxonomyError(str(error)) from None
        status = answer.status
        if status == 200:
            return answer.data
        reason = _reason(answer.data)
        if is_change and status in (400, 404, 409, 422):
            # A request whose answer was lost had been heard.
            if status == 409 and answer.tries > 1 and method == "POST":
                return b""
            raise ChangeRefused(reason or f"answered {status}")
        hint = _HINTS.get(status, reason)
        raise TaxonomyError(f"{self.origin} answered {status}" + (f": {hint}" if hint else ""))


def _segment(name: str) -> str:
    # A segment of dots alone would be taken for a step up the path.
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def _reason(data: bytes) -> str:
    try:
        refusal = msgspec.json.decode(data, type=_Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return "; ".join(each.message for each in refusal.errors if each.message)
