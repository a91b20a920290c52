"""The client: what an application logs to."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from antinode import _process
from antinode._door import Door, Refused
from antinode._errors import ConfigurationError, EventError, MiddlewareError
from antinode._events import as_event_dict
from antinode._identify import Identify
from antinode._middleware import Middleware, MiddlewarePayload, own_copy, run_chain
from antinode._options import Options, check_api_key, read_options
from antinode._revenue import Revenue
from antinode._wiring import make_sender, max_event_bytes
from antinode.delivery.ledger import Report, Stats
from antinode.delivery.record import DROPPED, REJECTED, SKIPPED, Delivery, Outcome
from antinode.protocol.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from antinode._events import Event, EventDict
    from antinode._options import OptionsDict
    from antinode.delivery.sender import Sender

_log = logging.getLogger("antinode")
_page = _process.page
_monotonic = time.monotonic

_OPTED_OUT = Outcome(SKIPPED, Status.SKIPPED, "opt_out", message="the client is opted out")
_DISABLED = Outcome(
    SKIPPED, Status.SKIPPED, "disabled", message="the client was initialised with enabled=False"
)
_NOT_INITIALISED = Outcome(
    SKIPPED, Status.SKIPPED, "not_initialised", message="logged before init() was called on this instance"
)
_HELD_BACK = Outcome(SKIPPED, Status.SKIPPED, "middleware", message="a middleware did not pass the event on")


class Client:
    """Logs events to one Amplitude project. Made by `antinode.init` or `antinode.get_instance`.

    Any number of threads may use it. Delivery happens on background threads that start with the first event;
    no method but `flush`, `shutdown` and, with `overflow="block"`, `log_event` waits for anything.
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name
        self._middleware: tuple[Middleware, ...] = ()
        self._sender: Sender | None = None
        self._door: Door | None = None
        self._options = Options()
        self._why_off: Outcome | None = _NOT_INITIALISED
        """Why events are skipped at present; None when they are not."""
        self._has_warned = False
        self._skipped_before = 0
        self._masked_key = ""
        self._drain: Any = None

    def init(self, api_key: str | None = None, **options: Unpack[OptionsDict]) -> Self:
        """Make this instance ready to log; see `antinode.init`.

        A second call replaces the configuration: the events logged before it are sent first, for at most the
        old `shutdown_timeout`. Middleware stays. Raises `ConfigurationError`, and then changes nothing.
        """
        key = check_api_key(api_key)
        checked = read_options(options)
        sender = make_sender(key, checked, self._name)
        if self._sender is not None:
            _log.warning(
                "%s is initialised again; the earlier events are sent before the new options hold", self
            )
            self.shutdown()
        self._options = checked
        self._masked_key = f"…{key[-4:]}" if len(key) >= 16 else "…"
        self._door = self._make_door()
        self._sender = sender
        self._set_off()
        _set_up_logging(checked)
        _process.register(self)
        if checked.drain_on_sigterm:
            self._take_sigterm()
        if _process.uwsgi_without_threads():
            _log.warning(
                "uWSGI runs without threads, so antinode cannot send in the background: "
                "start uWSGI with --enable-threads, or call flush() after each request"
            )
        return self

    def _make_door(self) -> Door:
        options = self._options
        return Door(
            min_id_length=options.min_id_length,
            plan=options.plan,
            ingestion_metadata=options.ingestion_metadata,
            max_event_bytes=max_event_bytes(options),
        )


    def log_event(
        self, event: EventDict | Event | Mapping[str, Any], extra: object = None, *, once: str | None = None
    ) -> Delivery:
        """Log one event and return the handle for its fate. Microseconds; no I/O; the event is not changed.

        `event` needs an `event_type` and a `user_id` or `device_id`; the keys are those of Amplitude's HTTP V2
        API (reference, section 3). `time`, `insert_id`, `library`, `plan` and `ingestion_metadata` are filled in
        when absent. `extra` is handed to the middleware. `once` is a business key such as "order-88231": the
        insert_id is made from it and the event type, so that logging the same fact again, in any process
        within seven days, counts once.

        Raises nothing for what the event contains: a bad event settles as invalid, is logged and counted.
        Under `strict=True` it raises `EventError`, and `MiddlewareError` if a middleware broke.
        """
        if not _page[0]:
            _process.renew()
        sender, door = self._sender, self._door
        if (
            type(event) is not dict
            or self._why_off is not None
            or self._middleware
            or once is not None
            or sender is None
            or door is None
        ):
            return self._log_unusual(event, extra, once)
        try:
            body, stream, notes = door.encode(event)  # type: ignore[arg-type]  # EventDict is a dict at run time
        except Exception as error:
            return self._refuse(sender, event, error)
        record = Delivery(body, stream, _monotonic())
        sender.submit(record)
        if notes:
            self._tell_notes(sender, notes)
        return record

    def _log_unusual(self, event: object, extra: object, once: str | None) -> Delivery:
        """For everything but a dict on a client without middleware: still no I/O, a few microseconds more."""
        sender, door = self._sender, self._door
        if self._why_off is not None or sender is None or door is None:
            return self._skip(self._why_off or _NOT_INITIALISED)
        try:
            given = self._as_dict(event)
            if once is not None:
                given = self._with_business_key(door, given, once)
            if self._middleware:
                payload = MiddlewarePayload(door.with_defaults(own_copy(given)), extra)
                passed = self._run_middleware(payload)
                if passed is None:
                    return self._skip(_HELD_BACK)
                given = self._as_dict(passed.event)
            body, stream, notes = door.encode(given)
        except Exception as error:
            return self._refuse(sender, event, error)
        record = Delivery(body, stream, _monotonic())
        sender.submit(record)
        if notes:
            self._tell_notes(sender, notes)
        return record

    def _as_dict(self, event: object) -> dict[str, Any]:
        if type(event) is dict and "plan" not in event and "ingestion_metadata" not in event:
            return event
        try:
            return as_event_dict(event)  # type: ignore[arg-type]  # whatever the application passed
        except (TypeError, ValueError, AttributeError):
            message = f"an event must be a dict or an antinode.Event, not {type(event).__name__}"
            raise Refused(Status.INVALID, "invalid_event", message) from None

    def _with_business_key(self, door: Door, event: dict[str, Any], once: object) -> dict[str, Any]:
        if not isinstance(once, (str, int)) or isinstance(once, bool) or not str(once).strip():
            message = f"`once` must be a string such as 'order-88231', not {once!r:.60}"
            raise Refused(Status.INVALID, "invalid_event", message)
        if event.get("insert_id") is not None:
            message = "`once` makes the insert_id, but the event has one: give one of them"
            raise Refused(Status.INVALID, "invalid_event", message)
        return {**event, "insert_id": door.business_key(event, str(once))}

    def _run_middleware(self, payload: MiddlewarePayload) -> MiddlewarePayload | None:
        try:
            return run_chain(self._middleware, payload)
        except Exception as error:
            message = f"a middleware raised {type(error).__name__}, so the event was not sent"
            raise Refused(Status.FAILED, "middleware_error", message) from error

    def _refuse(self, sender: Sender, event: object, error: Exception) -> Delivery:
        """Settle an event that cannot be sent, and say why; under `strict`, raise instead."""
        if not isinstance(error, Refused):
            error = Refused(
                Status.INVALID, "invalid_event", f"the event could not be encoded: {type(error).__name__}"
            )
        is_ours = error.reason == "middleware_error"
        outcome = Outcome(DROPPED if is_ours else REJECTED, error.status, error.reason, message=error.message)
        record = Delivery(_remains(event), 0, _monotonic())
        note = f"an event was refused: {error.message}"
        if is_ours and error.__cause__ is not None:
            _log.debug("a middleware raised", exc_info=error.__cause__)
        sender.refuse(record, outcome, note)
        if self._options.strict:
            if is_ours:
                raise MiddlewareError(error.message) from error.__cause__
            raise EventError(error.message) from None
        return record

    def _skip(self, outcome: Outcome) -> Delivery:
        record = Delivery(b"", 0, _monotonic(), outcome=outcome)
        if self._sender is not None:
            self._sender.skip(record, outcome)
        else:
            self._skipped_before += 1
            if not self._has_warned:
                self._has_warned = True
                name = f"get_instance({self._name!r}).init" if self._name else "antinode.init"
                _log.warning(
                    "events are skipped because antinode is not initialised: call %s(API_KEY) first", name
                )
        return record

    def _tell_notes(self, sender: Sender, notes: Sequence[str]) -> None:
        for note in notes:
            sender.say("WARNING", "mended", f"an event was mended before it was sent: {note}")

    def identify(self, user_id: str | None, device_id: str | None, identify: Identify) -> Delivery:
        """Change a user's properties. One of the ids is needed; None stands for the other."""
        if not isinstance(identify, Identify):
            return self._refuse_call("identify() takes an antinode.Identify", identify)
        return self.log_event(identify.to_event(user_id, device_id))

    def group_identify(
        self, group_type: str, group_name: str | Sequence[str], identify: Identify
    ) -> Delivery:
        """Change the properties of a group, or of several of one type."""
        if not isinstance(identify, Identify):
            return self._refuse_call("group_identify() takes an antinode.Identify", identify)
        return self.log_event(identify.to_group_event(group_type, group_name))

    def revenue(self, user_id: str | None, device_id: str | None, revenue: Revenue) -> Delivery:
        """Log a purchase or a refund."""
        if not isinstance(revenue, Revenue):
            return self._refuse_call("revenue() takes an antinode.Revenue", revenue)
        if not revenue.is_valid:
            return self._refuse_call("; ".join(revenue.problems), None)
        return self.log_event(revenue.to_event(user_id, device_id))

    def set_group(
        self, user_id: str | None, device_id: str | None, group_type: str, group_name: str | Sequence[str]
    ) -> Delivery:
        """Put a user into a group: `group_name` (one, or a list) takes the place of the user's earlier ones."""
        return self.log_event(Identify().set_group(group_type, group_name).to_event(user_id, device_id))

    def _refuse_call(self, message: str, value: object) -> Delivery:
        sender = self._sender
        if self._why_off is not None or sender is None:
            return self._skip(self._why_off or _NOT_INITIALISED)
        given = "" if value is None else f", not {type(value).__name__}"
        return self._refuse(sender, {}, Refused(Status.INVALID, "invalid_event", message + given))

    def add_event_middleware(self, fn: Middleware) -> Self:
        """Run `fn(payload, next)` on each event, after the ones added before. Returns the client.

        It runs on the thread that logs. It may change `payload.event`, pass on another payload, or not call
        `next`: then the event ends as skipped. If it raises, the event is not sent.
        """
        if not callable(fn):
            raise ConfigurationError(
                f"a middleware must be a function (payload, next), not {type(fn).__name__}"
            )
        self._middleware = (*self._middleware, fn)
        return self

    def remove_event_middleware(self, fn: Middleware) -> bool:
        """Stop running `fn`; False if it had not been added."""
        remaining = tuple(each for each in self._middleware if each != fn)
        was_there = len(remaining) < len(self._middleware)
        self._middleware = remaining
        return was_there

    @property
    def opt_out(self) -> bool:
        """Whether events are skipped because the user opted out. May be set at any time."""
        return self._options.opt_out

    @opt_out.setter
    def opt_out(self, value: bool) -> None:
        self._options = _replaced(self._options, opt_out=bool(value))
        self._set_off()

    @property
    def options(self) -> Options:
        """The options in force."""
        return self._options

    def _set_off(self) -> None:
        if self._sender is None:
            self._why_off = _NOT_INITIALISED
        elif not self._options.enabled:
            self._why_off = _DISABLED
        else:
            self._why_off = _OPTED_OUT if self._options.opt_out else None

    def stats(self) -> Stats:
        """The client's books at this instant; see `Stats`. Zero before `init`."""
        if not _page[0]:
            _process.renew()
        if self._sender is None:
            return Stats(skipped={"not_initialised": self._skipped_before} if self._skipped_before else {})
        return self._sender.stats()

    def __repr__(self) -> str:
        name = f" {self._name!r}" if self._name else ""
        if self._sender is None:
            return f"<Client{name} not initialised>"
        stats = self.stats()
        return (
            f"<Client{name} {self._sender.host} key={self._masked_key} | {stats.queued} queued, "
            f"{stats.in_flight} in flight, {stats.waiting} waiting | dropped {sum(stats.dropped.values())}>"
        )

    def flush(self, timeout: float | None = None) -> Report:
        """Send what is queued now, and block until everything logged before the call has settled.

        `timeout` is in seconds; None waits as long as it takes, which in an outage is long. Reports how the
        events logged since the last complete flush ended, and how many are pending if the time was over.
        While a configuration fault stands (a wrong key), what the call covers is given up and settles as failed.
        """
        if not _page[0]:
            _process.renew()
        return Report() if self._sender is None else self._sender.flush(timeout)

    async def aflush(self, timeout: float | None = None) -> Report:
        """`flush` for asyncio: waits without blocking the loop."""
        if not _page[0]:
            _process.renew()
        return Report() if self._sender is None else await self._sender.aflush(timeout)

    def shutdown(self, timeout: float | None = None) -> Report:
        """Send what is queued for at most `timeout` seconds (default: the option `shutdown_timeout`), then end.

        What is left then settles as dropped, is counted and logged. Called by itself at exit. Later events
        settle as dropped; `init` makes the instance usable again.
        """
        if self._sender is None:
            return Report()
        self._give_sigterm_back()
        return self._sender.shutdown(self._options.shutdown_timeout if timeout is None else timeout)

    async def ashutdown(self, timeout: float | None = None) -> Report:
        """`shutdown` for asyncio: waits without blocking the loop."""
        if self._sender is None:
            return Report()
        self._give_sigterm_back()
        return await self._sender.ashutdown(self._options.shutdown_timeout if timeout is None else timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.ashutdown()

    def _renew_after_fork(self) -> None:
        if self._sender is not None:
            self._sender.renew_after_fork()
            self._door = self._make_door()
        if self._drain is not None:
            self._drain.renew_after_fork()

    def _begin_exit(self) -> float:
        sender = self._sender
        if sender is None or sender.is_closed:
            return 0.0
        sender.hurry()
        return self._options.shutdown_timeout

    def _finish_exit(self, seconds: float) -> None:
        if self._sender is not None and not self._sender.is_closed:
            self._sender.shutdown(seconds)

    def _take_sigterm(self) -> None:
        from antinode._sigterm import Drain  # noqa: PLC0415 - only with drain_on_sigterm

        self._drain = Drain(lambda: self._sender and self._sender.flush(self._options.shutdown_timeout))
        if not self._drain.install():
            self._drain = None
            _log.warning("drain_on_sigterm has no effect: init() was not called on the main thread")

    def _give_sigterm_back(self) -> None:
        if self._drain is not None:
            self._drain.remove()
            self._drain = None


def _replaced(options: Options, **changes: Any) -> Options:
    from dataclasses import replace  # noqa: PLC0415 - loaded already, named here for its one use

    return replace(options, **changes)


def _remains(event: object) -> bytes:
    """What of a refused event can be kept for whoever asks why."""
    try:
        return msgspec.json.encode(event)
    except Exception:
        return b""


def _set_up_logging(options: Options) -> None:
    if options.log_level is not None:
        _log.setLevel(options.log_level)
    elif options.debug:
        _log.setLevel(logging.DEBUG)
    if options.debug and not _log.hasHandlers():
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s: %(message)s"))
        _log.addHandler(handler)
