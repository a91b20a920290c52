"""Operations of the server's own API: what each takes and gives, and how a request becomes a call.

The table of operations is the only definition of the API: requests are checked by it, `openapi` describes it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from antinode.server.http.bodies import BODY_WITHIN_S, NO_ROOM, BodyLate, ClientGone, NoRoom, read_body
from antinode.server.http.security import PAGE_HEADERS, Gate
from antinode.server.quoting import quoted

_MAX_BODY_BYTES: Final = 1_000_000

_NUMBER: Final = re.compile(r"[0-9]{1,15}\Z")

Handler: TypeAlias = Callable[..., Awaitable[Any]]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be asked.

    `call` gets the path's parameters by name, `query` and `body` if the operation takes them, and
    `request` if it wants it; it gives a value of type `answer`, or a whole response.
    """

    method: str
    path: str
    """With parameters in braces, each a whole segment; `{id:int}` takes a number."""
    name: str
    summary: str
    call: Handler
    answer: Any = None
    """A type; None: `media_type` says what the response is."""
    media_type: str = "application/json"
    query: type[msgspec.Struct] | None = None
    body: Any = None
    """A type."""
    form: type[msgspec.Struct] | None = None
    """Parameters that are taken from a form in the body and from the query alike, as Amplitude's older APIs
    do; those that are not known are passed over."""
    refusal: Callable[[str], Any] | None = None
    """Makes of a reason the body of the answer 400 to a form that cannot be read; None: `Failure`."""
    is_body_optional: bool = False
    wants_request: bool = False
    is_authorized: bool = False
    """By Basic auth."""
    hosts: frozenset[str] = frozenset()
    """Names under which it is asked besides the server's own."""
    statuses: Mapping[int, str | tuple[str, type]] = {}
    """Answers beside 200 and those that every operation may give, each with its cause, and with its type if
    that is not `Failure`."""

    @property
    def changes(self) -> bool:
        """Whether asking it changes anything."""
        return self.method != "GET"


class OperationRefused(Exception):
    """An operation cannot be done; the server answers `status` with the reason in words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status, self.reason = status, reason


class Failure(msgspec.Struct, frozen=True):
    """Why a request was not answered."""

    error: str
    """In words, with what to write instead."""


class Desk:
    """Answers requests for the operations of a table."""

    def __init__(self, operations: Sequence[Operation], gate: Gate) -> None:
        self._gate = gate
        self._operations = [(operation.path.split("/"), operation) for operation in operations]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request, receive)
        except OperationRefused as refused:
            response = _failure(refused.status, refused.reason)
        except ClientGone:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request, receive: Receive) -> Response:
        if (why := self._gate.wrong_host(request.headers, self._hosts(request))) is not None:
            raise OperationRefused(421, why)
        operation, given = self._find(request)
        if isinstance(operation, Response):
            return operation
        if operation.changes and (why := self._gate.wrong_origin(request.headers)) is not None:
            raise OperationRefused(403, why)
        if operation.query is not None:
            given["query"] = _query(request, operation.query)
        if operation.body is not None:
            given["body"] = await _body(receive, operation)
        if operation.form is not None:
            try:
                given["form"] = await _form(request, receive, operation.form)
            except OperationRefused as refused:
                if operation.refusal is None or refused.status != 400:
                    raise
                response = _json(operation.refusal(refused.reason))
                response.status_code = 400
                return response
        if operation.wants_request:
            given["request"] = request
        answer = await operation.call(**given)
        if isinstance(answer, Response):
            answer.headers.update(PAGE_HEADERS | {"cache-control": "no-store"})
            return answer
        return _json(answer)

    def _hosts(self, request: Request) -> frozenset[str]:
        asked = request.scope["raw_path"].decode("ascii").split("/")
        for segments, operation in self._operations:
            is_asked = operation.method == request.method and _match(segments, asked) is not None
            if operation.hosts and is_asked:
                return operation.hosts
        return frozenset()

    def _find(self, request: Request) -> tuple[Operation | Response, dict[str, Any]]:
        # The raw path, so that an id with a slash in it stays one segment.
        asked = request.scope["raw_path"].decode("ascii").split("/")
        methods: list[str] = []
        for segments, operation in self._operations:
            given = _match(segments, asked)
            if given is None:
                continue
            if operation.method == request.method:
                return operation, given
            methods.append(operation.method)
        if not methods:
            raise OperationRefused(
                404, f"there is no {quoted(request.url.path)}; GET /api/openapi.json lists what there is"
            )
        reason = f"{request.url.path} takes {' or '.join(methods)}, not {request.method}"
        return _failure(405, reason, {"allow": ", ".join(methods)}), {}


def _match(segments: Sequence[str], asked: Sequence[str]) -> dict[str, Any] | None:
    if len(segments) != len(asked):
        return None
    given: dict[str, Any] = {}
    for segment, part in zip(segments, asked, strict=True):
        if segment.startswith("{"):
            name, _, kind = segment[1:-1].partition(":")
            given[name] = _number(part) if kind else unquote(part)
        elif segment != part:
            return None
    return given


def _number(text: str) -> int:
    if not _NUMBER.match(text):
        raise OperationRefused(400, f"{quoted(text)} in the path is not a number from 0 up")
    return int(text)


def _parameters(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    try:
        parsed = parse_qsl(text, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise OperationRefused(400, "there are more than 100 parameters") from None
    for key, value in parsed:
        if key in given:
            raise OperationRefused(400, f"the parameter {quoted(key)} is given twice; give it once")
        given[key] = value
    return given


async def _form(request: Request, receive: Receive, kind: type[msgspec.Struct]) -> msgspec.Struct:
    body = await _read(receive)
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    given = _parameters(request.scope["query_string"].decode("latin-1"))
    given |= _parameters(body.decode("utf-8", "replace"))
    try:
        return msgspec.convert({key: given[key] for key in given if key in known}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise OperationRefused(400, _words(error)) from None


def _query(request: Request, kind: type[msgspec.Struct]) -> msgspec.Struct:
    given = _parameters(request.scope["query_string"].decode("latin-1"))
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    for key in given:
        if key not in known:
            raise OperationRefused(
                400, f"there is no parameter {quoted(key)} here; there are {', '.join(sorted(known))}"
            )
    try:
        query = msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise OperationRefused(400, _words(error)) from None
    for key, value in given.items():
        if getattr(query, key) is None:
            raise OperationRefused(
                400, f"the parameter {quoted(key)} is {quoted(value)}; leave it out instead"
            )
    return query


async def _read(receive: Receive) -> bytes:
    try:
        body = await read_body(receive, _MAX_BODY_BYTES, BODY_WITHIN_S)
    except BodyLate:
        raise OperationRefused(408, "the body did not arrive in time") from None
    except NoRoom:
        raise OperationRefused(503, NO_ROOM) from None
    if body.is_too_large:
        raise OperationRefused(413, f"the body is larger than {_MAX_BODY_BYTES:,} bytes")
    return body.data


async def _body(receive: Receive, operation: Operation) -> Any:
    data = await _read(receive)
    if not data and operation.is_body_optional:
        return None
    try:
        return msgspec.json.decode(data, type=operation.body)
    except msgspec.ValidationError as error:
        raise OperationRefused(422, _words(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OperationRefused(400, f"the body is not JSON: {error}") from None


def _words(error: Exception) -> str:
    # msgspec's own words, which name the key in the manner of `$.limit`.
    return str(error).replace("`$.", "`")


def _json(value: Any) -> Response:
    headers = PAGE_HEADERS | {"cache-control": "no-store"}
    return Response(msgspec.json.encode(value), headers=headers, media_type="application/json")


def _failure(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    response = _json(Failure(reason))
    response.status_code = status
    response.headers.update(headers or {})
    return response
