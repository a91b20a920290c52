"""The names of `amplitude.http_client`, of which tests replace `HttpClient.post`.

Events go over antinode's own connections; `worker` looks at each request whether `post` has been replaced.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from antinode.amplitude import constants

if TYPE_CHECKING:
    from typing_extensions import Self

JSON_HEADER: Final = {"Content-Type": "application/json; charset=UTF-8", "Accept": "*/*"}


class HttpStatus(Enum):
    """The kinds of answers, each by one code of its kind."""

    SUCCESS = 200
    INVALID_REQUEST = 400
    TIMEOUT = 408
    PAYLOAD_TOO_LARGE = 413
    TOO_MANY_REQUESTS = 429
    FAILED = 500
    UNKNOWN = -1


_OF_CODE: Final = {
    429: HttpStatus.TOO_MANY_REQUESTS,
    413: HttpStatus.PAYLOAD_TOO_LARGE,
    408: HttpStatus.TIMEOUT,
}
_REFUSALS: Final = (
    "events_with_missing_fields",
    "events_with_invalid_fields",
    "events_with_invalid_id_lengths",
)


class Response:
    """An answer of the server: its kind, its code, and its JSON."""

    def __init__(self, status: HttpStatus = HttpStatus.UNKNOWN, body: dict[str, Any] | None = None) -> None:
        self.status = status
        self.code: int = status.value
        self.body = body or {}

    def parse(self, res: Any) -> Self:
        """Take over the answer that `res.read()` gives. Raises what it raises, and for what is no answer."""
        body = json.loads(res.read().decode("utf8"))
        self.code = body["code"]
        self.status = self.get_status(self.code)
        self.body = body
        return self

    @property
    def error(self) -> Any:
        """What the server says is wrong; "" for nothing."""
        return self.body.get("error", "")

    @property
    def missing_field(self) -> Any:
        """The field that the request misses."""
        return self.body.get("missing_field")

    @property
    def events_with_invalid_fields(self) -> Any:
        """By field, the places of the events in which it is wrong."""
        return self.body.get("events_with_invalid_fields")

    @property
    def events_with_missing_fields(self) -> Any:
        """By field, the places of the events that miss it."""
        return self.body.get("events_with_missing_fields")

    @property
    def events_with_invalid_id_lengths(self) -> Any:
        """By field, the places of the events whose ids are too short."""
        return self.body.get("events_with_invalid_id_lengths")

    @property
    def silenced_events(self) -> Any:
        """The places of the events of silenced devices."""
        return self.body.get("silenced_events")

    @property
    def throttled_events(self) -> Any:
        """The places of the events of throttled users and devices."""
        return self.body.get("throttled_events")

    def exceed_daily_quota(self, event: Any) -> bool:
        """Whether the user or device of the event is over its daily quota."""
        return event.user_id in self.body.get(
            "exceeded_daily_quota_users", ()
        ) or event.device_id in self.body.get("exceeded_daily_quota_devices", ())

    def invalid_or_silenced_index(self) -> set[int]:
        """The places of the events that are not to be sent again."""
        places: set[int] = set(self.silenced_events or ())
        for name in _REFUSALS:
            places = places.union(*(self.body.get(name) or {}).values())
        return places

    @staticmethod
    def get_status(code: int) -> HttpStatus:
        """The kind of a code."""
        if code in _OF_CODE:
            return _OF_CODE[code]
        if 200 <= code < 300:
            return HttpStatus.SUCCESS
        if 400 <= code < 500:
            return HttpStatus.INVALID_REQUEST
        return HttpStatus.FAILED if code >= 500 else HttpStatus.UNKNOWN


class HttpClient:
    """Holds `post`, for whoever calls it, and for tests that replace it."""

    @staticmethod
    def post(url: str, payload: bytes, header: Mapping[str, str] | None = None) -> Response:
        """POST a body and return the answer. Blocks for ten seconds at most. Raises nothing."""
        from antinode import Request, TransportError, TransportTimeout  # noqa: PLC0415 - seldom called
        from antinode._delivery.http.transport import HttpTransport  # noqa: PLC0415 - as above

        transport = HttpTransport()
        headers = {name: value for name, value in (header or {}).items() if name.title() not in _OWN}
        try:
            answer = transport.send(Request(url, payload, headers, constants.CONNECTION_TIMEOUT))
        except TransportTimeout:
            return Response(HttpStatus.TIMEOUT)
        except TransportError as error:
            return Response(body={"error": str(error)})
        finally:
            transport.close()
        return _read(answer.status, answer.body)


_OWN: Final = frozenset({"Content-Type", "Accept-Encoding", "Content-Length", "Host"})
POST: Final = HttpClient.post
"""`HttpClient.post` as it is when nobody has replaced it."""


def _read(status: int, body: bytes) -> Response:
    response = Response(Response.get_status(status))
    response.code = status
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        response.body = parsed
        code = parsed.get("code")
        if isinstance(code, int):
            response.code, response.status = code, Response.get_status(code)
    elif status >= 400:
        response.body = {"error": f"HTTP {status}"}
    return response
