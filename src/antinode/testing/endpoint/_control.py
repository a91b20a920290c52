"""Steering the endpoint from another process: `/_/…` on the same port."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from antinode import _json
from antinode.testing.faults import Answer, Way, from_spec

if TYPE_CHECKING:
    from antinode.testing._arrival import Arrival
    from antinode.testing.endpoint._server import Endpoint

_STOP = "POST stop"


class Control:
    """Answers `/_/…` and leaves every other request to the endpoint.

    GET `/_/ledger` (the summary; with `events=N` or `requests=N` and `timeout=S` once so many are there
    or the time is over), GET `/_/events` (accepted events, a JSON line each), GET `/_/requests` (a JSON
    line each), POST `/_/answer` (a fault, null for none), POST `/_/script` (a list of faults), POST
    `/_/down` (`{"seconds": 8}`), POST `/_/clear`, POST `/_/stop`.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.stopped = threading.Event()
        self._endpoint = endpoint

    def __call__(self, arrival: Arrival) -> Answer | None:
        if not arrival.path.startswith("/_/"):
            return None
        try:
            return self._act(_action(arrival), arrival)
        except (ValueError, RuntimeError) as error:
            return Answer(400, body={"error": str(error)})

    def answered(self, arrival: Arrival) -> None:
        """The answer has been sent: whoever waits for `stopped` closes the connection."""
        if _action(arrival) == _STOP:
            self.stopped.set()

    def _act(self, action: str, arrival: Arrival) -> Answer:
        endpoint = self._endpoint
        if action == "GET ledger":
            self._wait({key: values[-1] for key, values in parse_qs(arrival.query).items()})
            return Answer(200, body=endpoint.summary())
        if action == "GET events":
            return Answer(200, body=b"".join(_json.dumps(event) + b"\n" for event in endpoint.events))
        if action == "GET requests":
            return Answer(200, body=b"".join(_line(each) for each in endpoint.requests))
        if action == "POST answer":
            endpoint.answer = from_spec(_json.loads(arrival.body))
        elif action == "POST script":
            endpoint.script([from_spec(each) for each in _json.loads(arrival.body)])
        elif action == "POST down":
            return Answer(body={}, delay=_number(_json.loads(arrival.body), "seconds"), way=Way.DOWN)
        elif action == "POST clear":
            endpoint.clear()
        elif action != _STOP:
            return Answer(404, body={"error": "there is no such control"})
        return Answer(200, body={})

    def _wait(self, query: dict[str, str]) -> None:
        timeout = _number({"timeout": 10.0, **query}, "timeout")
        try:
            if "events" in query:
                self._endpoint.wait_for(int(_number(query, "events")), timeout)
            if "requests" in query:
                self._endpoint.wait_for_requests(int(_number(query, "requests")), timeout)
        except TimeoutError:
            pass  # the summary shows how far it got


def _action(arrival: Arrival) -> str:
    return f"{arrival.method} {arrival.path.removeprefix('/_/')}"


def _number(values: object, name: str) -> float:
    value = values.get(name) if isinstance(values, dict) else None
    try:
        return float(value)  # type: ignore[arg-type]  # None and the like are answered below
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be given, as a number") from error


def _line(arrival: Arrival) -> bytes:
    return (
        _json.dumps(
            {
                "number": arrival.number,
                "connection": arrival.connection,
                "at": arrival.at,
                "path": arrival.path,
                "status": arrival.status,
                "events": arrival.event_count,
                "wire_size": arrival.wire_size,
                "inflated_size": arrival.inflated_size,
            }
        )
        + b"\n"
    )
