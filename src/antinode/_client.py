"""The client: what an application logs to."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any, cast, overload

import msgspec

from antinode import _on_load, _startup, _taps
from antinode import _special_events as special
from antinode._api_key import check_api_key
from antinode._calls import ELSEWHERE, checked_timeout
from antinode._context import current
from antinode._delivery.ledger import Report, Stats
from antinode._delivery.outcome import Delivery, Outcome
from antinode._delivery.record import Record
from antinode._encoding.encoder import EventEncoder
from antinode._errors import ConfigurationError
from antinode._events import MYPY, Event
from antinode._factory import make_encoder, make_sender
from antinode._hot_path import CompiledLog, make_hot, path_in_words, use_compiled_log_event
from antinode._identify import Identify
from antinode._interruptions import is_interruption
from antinode._lifecycle import fork
from antinode._middleware import Middleware, check_middleware
from antinode._options import Options, read_options
from antinode._pipeline.pipeline import Pipeline
from antinode._pipeline.recorder import Recorder
from antinode._pipeline.stages import Passage, stages_of
from antinode._pipeline.unsent import DISABLED, HELD_BACK, NOT_INITIALISED, OPTED_OUT
from antinode._public import public
from antinode._revenue import Revenue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from antinode._delivery.shell.sender import Sender
    from antinode._events import EventDict
    from antinode._forgetting.results import Forgotten
    from antinode._options import OptionsDict
    from antinode._typed_events import Loggable, TypedEvent

_log = logging.getLogger("antinode")
_page = fork.page
_monotonic = time.monotonic
_context = current.get


@public
class Client:
    """Logs events to one Amplitude project. Made by `antinode.init` or `antinode.get_instance`.

    Any number of threads may use it. Delivery happens on background threads that start with the first event;
    no method but `flush`, `shutdown` and, with `overflow="block"`, `log_event` waits for anything.
    """

    # Compiled code finds `_hot` where it lies.
    __slots__ = ("__dict__", "__weakref__", "_hot")

    def __init__(self, name: str | None = None) -> None:
        self._name = name
        self._middleware: list[Middleware] = []
        self._sender: Sender | None = None
        self._encoder: EventEncoder | None = None
        self._options = Options()
        self._opt_out: bool | None = None
        """What `opt_out` was set to at run time; it outlives another `init` that does not mention it."""
        self._why_off: Outcome | None = NOT_INITIALISED
        """Why events are skipped at present; None when they are not."""
        self._pipeline: Pipeline | None = None
        """What any event goes through."""
        self._recorder: Recorder | None = None
        """What an event comes to in the end."""
        self._ready: Callable[[Any], Delivery] | None = None
        """What logs a plain dict; None where it has to go through the pipeline, or is skipped."""
        self._hot: CompiledLog | None = None
        """The compiled way of a plain dict, where there is one; it returns None for what is not ordinary."""
        self._compiled: CompiledLog | None = None
        """The same for what comes out of the pipeline."""
        self._configuring = threading.RLock()
        """Held while the attributes above are changed, never while anything is sent or waited for."""
        self._has_warned = False
        self._skipped_before = 0
        self._api_key = ""
        self._masked_key = ""
        self._drain: Any = None
        _taps.clients.add(self)

    def init(self, api_key: str | None = None, **options: Unpack[OptionsDict]) -> Self:
        """Make this instance ready to log; see `antinode.init`.

        A second call replaces the configuration: the events logged before it are sent first, for at most the
        old `shutdown_timeout`, and the books start anew. Middleware stays, and so does an `opt_out` that was
        set at run time, unless the call gives another. Raises `ConfigurationError`, and then changes nothing.
        """
        if not _page[0]:
            fork.renew()
        checked = read_options(options)
        if api_key is None and _taps.is_taking_all():
            api_key = os.environ.get("AMPLITUDE_API_KEY", "0" * 32)
        key = check_api_key(api_key) if checked.enabled else ""
        sender, checked = self._sender_for(key, checked)
        fork.register(self)
        timeout = self._options.shutdown_timeout
        deadline = _monotonic() + timeout
        if self._sender is not None and not self._sender.is_closed:
            _startup.warn_of_second_init(self)
            self._sender.flush(timeout)
        with self._configuring:
            former = self._sender
            self._give_sigterm_back()
            if "opt_out" in options:
                self._opt_out = None
            elif self._opt_out is not None:
                checked = msgspec.structs.replace(checked, opt_out=self._opt_out)
            self._options = checked
            self._api_key = key
            self._masked_key = f"…{key[-4:]}" if len(key) >= 16 else "…"
            self._sender = sender
            self._encoder = make_encoder(checked, sender)
            self._refresh()
        if former is not None:
            former.shutdown(max(0.0, deadline - _monotonic()))
        _startup.set_up_logging(checked)
        if checked.enabled:
            _startup.warn_of_key(key)
            sender.open_store()
            if checked.drain_on_sigterm:
                self._take_sigterm()
            _startup.warn_of_surroundings(checked)
        return self

    def _sender_for(self, key: str, options: Options) -> tuple[Sender, Options]:
        """The sender, and the options in force: those given, unless a test takes the events."""
        return _taps.sender_for(self, key, options) or (self._make_sender(key, options), options)

    def _make_sender(self, key: str, options: Options) -> Sender:
        return make_sender(key, options, self._name)

    def _reroute(self, sender: Sender | None, options: Options) -> None:
        with self._configuring:
            self._sender, self._options = sender, options
            self._encoder = None if sender is None else make_encoder(options, sender)
            self._refresh()

    def _refresh(self) -> None:
        """Decide anew where events go, after each change of what that depends on."""
        sender, encoder, options = self._sender, self._encoder, self._options
        if sender is None or encoder is None:
            self._why_off = NOT_INITIALISED
        elif not options.enabled:
            self._why_off = DISABLED
        else:
            self._why_off = OPTED_OUT if options.opt_out else None
        if sender is None or encoder is None:
            self._recorder = self._pipeline = self._compiled = self._ready = self._hot = None
            return
        # With `debug` each event is told of, which is not for the quick way.
        is_quick = self._why_off is None and not options.debug and not sender.is_tapped
        recorder = Recorder(encoder, sender, is_strict=options.strict, is_debug=options.debug)
        middleware = tuple(self._middleware)
        # Consent that is asked for at the door is asked for in Python.
        is_asking = options.consent is not None and options.consent.asks_at_door
        chained = recorder.layout(middleware) if middleware else None
        compiled = make_hot(encoder, sender, chained) if is_quick else None
        complete = None if compiled is None else compiled.complete
        pipeline = Pipeline(stages_of(encoder.defaults, middleware, complete, options.consent))
        # At no moment is there none: other threads log meanwhile.
        self._recorder, self._pipeline, self._compiled = recorder, pipeline, compiled
        self._ready = recorder.record if is_quick and pipeline.is_direct else None
        self._hot = None if is_asking else compiled

    if not MYPY:
        # The dict comes last: of a call that fits neither, pyright explains the last one, key by key.
        @overload
        def log_event(
            self, event: Event | TypedEvent, extra: object = None, *, once: str | None = None
        ) -> Delivery: ...
        @overload
        def log_event(
            self, event: EventDict, extra: object = None, *, once: str | None = None
        ) -> Delivery: ...

    def log_event(self, event: Loggable, extra: object = None, *, once: str | None = None) -> Delivery:
        """Log one event and return the handle for its fate. Microseconds; no I/O; the event is not changed.

        `event` needs an `event_type` and a `user_id` or `device_id`; its keys are those of Amplitude's HTTP
        V2 API. `time`, `insert_id`, `library`, `plan` and `ingestion_metadata` are filled in when absent.
        `extra` is handed to the middleware. `once` is a business key such as "order-88231": the insert_id is
        made from it and the event type, so that logging the same fact of the same user or device again, in
        any process within seven days, counts once.

        Raises nothing for what the event contains: a bad event settles as invalid, is logged and counted.
        Under `strict=True` it raises `EventError`, and `MiddlewareError` if a middleware broke.
        """
        if not _page[0]:
            fork.renew()
        ready = self._ready
        if ready is None or once is not None or type(event) is not dict or _context() is not None:
            return self._log_unusual(event, extra, once)
        return ready(event)

    _log_in_python = log_event
    """`log_event` in Python, to which the compiled one leaves unusual calls."""

    def encode_event(
        self, event: Loggable, extra: object = None, *, once: str | None = None
    ) -> bytes | Outcome:
        """The event as `log_event` would send it, its JSON text; nothing is sent or counted as accepted.

        For who keeps events elsewhere and sends them later, as `antinode.outbox` does. It has its `time`,
        its `insert_id`, the context and the defaults, and middleware has run. Where `log_event` would not
        send it, the `Outcome` with which it has ended, counted and told as usual. Arguments and what is
        raised are those of `log_event`.
        """
        if not _page[0]:
            fork.renew()
        made = self._log_unusual(event, extra, once, is_sent=False)
        return made.outcome or cast("Record", made).body

    def _log_unusual(self, event: object, extra: object, once: object, *, is_sent: bool = True) -> Delivery:
        """Log what may not go straight to the encoder: still without I/O, in a few microseconds more.

        Unless it `is_sent`, the handle is that of a record that nobody delivers, if it has not settled.
        """
        if self._sender is None:
            _taps.adopt(self)
        recorder, pipeline, compiled = self._recorder, self._pipeline, self._compiled
        if self._why_off is not None or recorder is None or pipeline is None:
            return self._skip(self._why_off or NOT_INITIALISED)
        try:
            passage = Passage(event, extra, once)
            if not pipeline.lead(passage):
                return recorder.skip(passage.held_back_as or HELD_BACK)
        except MemoryError:
            return recorder.drop_unmade()
        except Exception as error:
            if is_interruption(error):
                raise
            return recorder.refuse(passage.kept, error)
        if not is_sent:
            return recorder.encode(passage.event)
        if compiled is not None and (logged := compiled.log_ready(passage.event)) is not None:
            return logged
        return recorder.record(passage.event)

    def _skip(self, outcome: Outcome) -> Delivery:
        if self._recorder is not None:
            return self._recorder.skip(outcome)
        self._skipped_before += 1
        if not self._has_warned:
            self._has_warned = True
            _startup.warn_not_initialised(self._name)
        return Record(b"", 0, _monotonic(), outcome=outcome)

    @overload
    def identify(
        self, user_id: str | None, identify: Identify, *, device_id: str | None = None
    ) -> Delivery: ...
    @overload
    def identify(self, user_id: str | None, device_id: str | None, identify: Identify) -> Delivery: ...
    @overload
    def identify(
        self, user_id: str | None = None, *, device_id: str | None = None, identify: Identify
    ) -> Delivery: ...
    def identify(self, user_id: str | None = None, *given: Any, **named: Any) -> Delivery:
        """Change a user's properties: `identify("user-20391", Identify().set("plan", "pro"))`.

        One of `user_id` and `device_id` is needed. `identify(user_id, device_id, identify)` is taken as well.
        """
        return self._log_special(lambda: special.identify(user_id, given, named))

    def group_identify(
        self, group_type: str, group_name: str | Sequence[str], identify: Identify
    ) -> Delivery:
        """Change the properties of a group, or of several of one type."""
        return self._log_special(lambda: special.group_identify(group_type, group_name, identify))

    @overload
    def revenue(self, user_id: str | None, revenue: Revenue, *, device_id: str | None = None) -> Delivery: ...
    @overload
    def revenue(self, user_id: str | None, device_id: str | None, revenue: Revenue) -> Delivery: ...
    @overload
    def revenue(
        self, user_id: str | None = None, *, device_id: str | None = None, revenue: Revenue
    ) -> Delivery: ...
    def revenue(self, user_id: str | None = None, *given: Any, **named: Any) -> Delivery:
        """Log a purchase or a refund: `revenue("user-20391", Revenue(price=19.99))`.

        One of `user_id` and `device_id` is needed. `revenue(user_id, device_id, revenue)` is taken as well.
        """
        return self._log_special(lambda: special.revenue(user_id, given, named))

    @overload
    def set_group(
        self,
        user_id: str | None,
        group_type: str,
        group_name: str | Sequence[str],
        *,
        device_id: str | None = None,
    ) -> Delivery: ...
    @overload
    def set_group(
        self, user_id: str | None, device_id: str | None, group_type: str, group_name: str | Sequence[str]
    ) -> Delivery: ...
    @overload
    def set_group(
        self,
        user_id: str | None = None,
        *,
        device_id: str | None = None,
        group_type: str,
        group_name: str | Sequence[str],
    ) -> Delivery: ...
    def set_group(self, user_id: str | None = None, *given: Any, **named: Any) -> Delivery:
        """Put a user into a group: `set_group("user-20391", "org", "acme")`.

        `group_name` (one, or a list) takes the place of the earlier ones. One of `user_id` and `device_id` is
        needed. `set_group(user_id, device_id, group_type, group_name)` is taken as well.
        """
        return self._log_special(lambda: special.set_group(user_id, given, named))

    def _log_special(self, make: Callable[[], EventDict]) -> Delivery:
        try:
            event = make()
        except special.BadArguments as refused:
            return self._refuse_call(refused)
        return self.log_event(event)

    def _refuse_call(self, refused: special.BadArguments) -> Delivery:
        if not _page[0]:
            fork.renew()
        if self._sender is None:
            _taps.adopt(self)
        recorder = self._recorder
        if self._why_off is not None or recorder is None:
            return self._skip(self._why_off or NOT_INITIALISED)
        return recorder.refuse(refused.kept, refused)

    def add_event_middleware(self, fn: Middleware) -> Self:
        """Run `fn(payload, next)` on each event, after the ones added before. Returns the client.

        It runs on the thread that logs. It may change `payload.event`, pass on another payload, or not call
        `next`: then the event ends as skipped. If it raises, the event is not sent. Raises
        `ConfigurationError` for what is not a plain function or other callable.
        """
        check_middleware(fn)
        with self._configuring:
            self._middleware.append(fn)
            self._refresh()
        return self

    def remove_event_middleware(self, fn: Middleware) -> bool:
        """Stop running `fn`, everywhere in the chain; False if it was not there."""
        with self._configuring:
            was_there = fn in self._middleware
            while fn in self._middleware:
                self._middleware.remove(fn)
            self._refresh()
        return was_there

    @property
    def opt_out(self) -> bool:
        """Whether events are skipped because the user opted out. May be set at any time."""
        return self._options.opt_out

    @opt_out.setter
    def opt_out(self, value: bool) -> None:
        given: object = value
        if not isinstance(given, bool):
            raise ConfigurationError(f"opt_out must be True or False, not {given!r:.60}")
        with self._configuring:
            self._opt_out = given
            self._options = msgspec.structs.replace(self._options, opt_out=given)
            self._refresh()

    @property
    def name(self) -> str | None:
        """The name under which `get_instance` gives this instance; None for the default one."""
        return self._name

    @property
    def is_initialised(self) -> bool:
        """Whether `init` was called, be it with `enabled=False`."""
        return self._sender is not None

    @property
    def options(self) -> Options:
        """The options in force."""
        return self._options

    def stats(self) -> Stats:
        """The client's books at this instant; see `Stats`. Zero before `init`."""
        if not _page[0]:
            fork.renew()
        if self._sender is None:
            return Stats(skipped={"not_initialised": self._skipped_before} if self._skipped_before else {})
        return self._sender.stats()

    def __repr__(self) -> str:
        name = f" {self._name!r}" if self._name else ""
        if self._sender is None:
            return f"<Client{name} not initialised>"
        stats = self.stats()
        path = path_in_words(self._compiled, is_off=self._why_off is not None, is_debug=self._options.debug)
        return (
            f"<Client{name} {self._sender.host} key={self._masked_key} | {stats.queued} queued, "
            f"{stats.in_flight} in flight, {stats.waiting} waiting | dropped {sum(stats.dropped.values())} | "
            f"{path}>"
        )

    def flush(self, timeout: float | None = None) -> Report:
        """Send what is queued now, and block until everything logged before the call has settled.

        `timeout` is in seconds; `math.inf` waits as long as it takes. None waits while delivery makes
        progress, or the server has named a time to wait for. Once uploads have only failed for
        `flush_patience` seconds (10 by default) it returns, and a line in the log says so. Reports how the
        events logged since the last complete flush ended, and how many are pending: those go on.

        While a configuration fault stands (a wrong key), it waits for one attempt and no longer.
        """
        if not _page[0]:
            fork.renew()
        return Report() if self._sender is None else self._sender.flush(checked_timeout(timeout))

    async def aflush(self, timeout: float | None = None) -> Report:
        """`flush` for asyncio: waits without blocking the loop."""
        if not _page[0]:
            fork.renew()
        return Report() if self._sender is None else await self._sender.aflush(checked_timeout(timeout))

    def shutdown(self, timeout: float | None = None) -> Report:
        """Send what is queued for at most `timeout` seconds, then end; None means `shutdown_timeout`.

        What is left then settles as dropped, is counted and logged. Called by itself at exit. Later events
        settle as dropped; `init` makes the instance usable again.
        """
        sender, seconds = self._prepare_shutdown(timeout)
        return Report() if sender is None else sender.shutdown(seconds)

    async def ashutdown(self, timeout: float | None = None) -> Report:
        """`shutdown` for asyncio: waits without blocking the loop."""
        sender, seconds = self._prepare_shutdown(timeout)
        return Report() if sender is None else await sender.ashutdown(seconds)

    def _prepare_shutdown(self, timeout: float | None) -> tuple[Sender | None, float]:
        if not _page[0]:
            fork.renew()
        given = checked_timeout(timeout)
        self._give_sigterm_back()
        return self._sender, self._options.shutdown_timeout if given is None else given

    def forget(
        self,
        user_id: str | Iterable[str] | None = None,
        *,
        device_id: str | Iterable[str] | None = None,
        secret_key: str | None = None,
        requester: str = "",
    ) -> Forgotten:
        """Remove a user's events, or several users', from queue, spool and dead letters; see `Forgotten`.

        `user_id` is the one under which events leave, whatever their device; `device_id` means events that
        have no user_id. They settle as dropped, with the reason `forgotten`. What is logged later is not
        affected. With the project's `secret_key` Amplitude is asked to delete the users as well, on behalf of
        `requester`. Blocks: for the disk, and for Amplitude's answer. Raises `ValueError` and `TypeError` for
        what is no id, `OSError` when a disk refuses, and `DeletionError` when Amplitude does.
        """
        if not _page[0]:
            fork.renew()
        from antinode._forgetting import forgetting, people, user_privacy  # noqa: PLC0415 - seldom called

        meant = people.people_of(user_id, device_id)
        api = None
        if secret_key is not None:
            api = user_privacy.UserPrivacyApi(self._options, self._api_key, secret_key)
        found = forgetting.forget_here(self._sender, self._options, meant)
        return found if api is None else forgetting.forget_there(api, meant, requester, found)

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

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def _renew_after_fork(self) -> None:
        self._configuring = threading.RLock()
        if self._sender is not None:
            self._sender.renew_after_fork()
        self._renew_ids()
        if self._drain is not None:
            self._drain.renew_after_fork()

    def _renew_ids(self) -> None:
        if self._sender is not None:
            self._encoder = make_encoder(self._options, self._sender)
        self._refresh()

    def _begin_in_process(self) -> None:
        drain, sender = self._drain, self._sender
        if drain is not None and sender is not None and (shortfall := drain.take_shortfall()):
            sender.say("WARNING", "drain_on_sigterm", f"drain_on_sigterm does not cover all: {shortfall}")

    def _begin_exit(self) -> float:
        sender = self._sender
        if sender is None or sender.is_closed:
            return 0.0
        sender.hurry()
        return self._options.shutdown_timeout

    def _finish_exit(self, seconds: float) -> None:
        if self._sender is not None and not self._sender.is_closed:
            self._sender.finish(seconds)

    def _take_sigterm(self) -> None:
        from antinode._lifecycle import sigterm  # noqa: PLC0415 - only with drain_on_sigterm

        self._drain = sigterm.take(lambda: self._sender, self._options.shutdown_timeout)

    def _give_sigterm_back(self) -> None:
        if self._drain is not None:
            self._drain.remove()
            self._drain = None


use_compiled_log_event(Client)

for _name, _elsewhere in ELSEWHERE.items():
    setattr(Client, _name, _elsewhere)

for _hook in _on_load.hooks:
    _hook()
