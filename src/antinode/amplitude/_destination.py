"""Delivery: a client of antinode for one configuration, made anew when that has changed."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from antinode import Client, Delivery
from antinode._factory import destination, make_sender
from antinode.amplitude import _outcomes
from antinode.amplitude.event import EventOptions, body_of
from antinode.amplitude.worker import Carrier, is_replaced

if TYPE_CHECKING:
    from collections.abc import Callable

    from antinode import Options
    from antinode._delivery.shell.sender import Sender
    from antinode.amplitude.config import Config

_MOCK_SECONDS: Final = 1.0
"""How long `flush` waits for a replaced `HttpClient.post`, which answers without a network."""


class _DestinationClient(Client):
    """A client that sends through a carrier, with the key as it was given, right or wrong."""

    def __init__(self, configuration: Config) -> None:
        super().__init__()
        self._configuration = configuration
        self.carrier = Carrier(configuration)
        self.is_for_replacement = False
        """Whether it was made while a test had replaced what sends."""

    def start(self) -> None:
        """Make it ready to log. Raises `ConfigurationError`."""
        options = self._configuration.delivery_options()
        self.is_for_replacement = is_replaced()
        if self.is_for_replacement:
            # A transport that is given sends to nobody else's machine, as far as a test kit is concerned.
            options["transport"] = self.carrier
        self.init(_in_one_word(self._configuration.api_key), **options)

    @property
    def is_fit(self) -> bool:
        """Whether events go where they should by now: a test may have replaced, or taken, what sends."""
        if not is_replaced():
            return not self.is_for_replacement
        return self._sender is not None and not self._sender.is_tapped

    def end(self, seconds: float) -> None:
        """Send what is queued, for so many seconds at most; not at all if it was for a test that is over."""
        self.flush(0 if self.is_for_replacement and not is_replaced() else seconds)

    def take_left(self) -> list[tuple[dict[str, Any], list[Callable[[Delivery], object]]]]:
        """What could not be sent, and who waits for it, for another client to log; this one is to end.

        Nothing where a spool or a file of dead letters keeps it.
        """
        sender, options = self._sender, self.options
        if sender is None or options.storage is not None or options.dead_letters is not None:
            return []
        left = []
        for record in sender.unsettled():
            callbacks, record.callbacks = record.callbacks or [], None
            left.append((record.event(), list(callbacks)))
        return left

    def _make_sender(self, key: str, options: Options) -> Sender:
        given = self._configuration.api_key
        if options.transport is not self.carrier:
            _, _, self.carrier.make = destination(options)
            options = msgspec.structs.replace(options, transport=self.carrier)
        return make_sender(given.strip() if isinstance(given, str) else key, options, self._name)

    def flush_later(self) -> Future[None]:
        """A future that is done once everything logged so far has settled, or waiting makes no sense."""
        future: Future[None] = Future()
        if self._sender is None:
            future.set_result(None)
        else:
            self._sender.flush_later(partial(_complete, future))
        return future


class AntinodeDestination:
    """Sends the events of one `Amplitude`."""

    def __init__(self, configuration: Config) -> None:
        self._configuration = configuration
        self._client: _DestinationClient | None = None
        self._version = -1
        self._failed = -1
        """The version of the configuration that no client could be made for."""
        self._making = threading.RLock()

    def send(self, event: Any) -> None:
        """Take an event for delivery. Does not wait for the network, unless the configuration has changed."""
        configuration = self._configuration
        body: Any = (
            body_of(event)
            if type(event).get_event_body is EventOptions.get_event_body
            else event.get_event_body()
        )
        while True:
            client = self._client
            is_test = is_replaced()
            if (
                client is None
                or self._version != configuration._version
                or ((is_test or client.is_for_replacement) and not client.is_fit)
            ):
                client = self._renew()
                if client is None:
                    _outcomes.tell(configuration, event, -1, "The configuration is not valid.")
                    return
            delivery = client.log_event(body)
            # It may have ended between being looked up and being used, since the configuration has changed.
            if delivery.outcome is None or client is self._client or delivery.outcome.reason != "shutdown":
                break
        if is_test or _outcomes.is_wanted(configuration, event):
            kept = event.snapshot() if isinstance(event, EventOptions) and not configuration.fast else event
            delivery.add_done_callback(partial(self._tell, client.carrier, kept))

    def flush(self) -> Future[None]:
        """Send what is queued now; the future is done once it has settled, or delivery makes no progress."""
        client = self._client
        if client is None:
            done: Future[None] = Future()
            done.set_result(None)
            return done
        future = client.flush_later()
        if is_replaced():
            # Tests that replace what sends look at once at what was sent.
            client.flush(_MOCK_SECONDS)
        return future

    def shutdown(self) -> None:
        """Send what is queued, for `shutdown_timeout` seconds at most, and end. A later event starts anew."""
        with self._making:
            client, self._client = self._client, None
            self._version = self._failed = -1
        if client is not None:
            client.shutdown()

    def _renew(self) -> _DestinationClient | None:
        """A client for the configuration as it is now, once what was logged before has been sent."""
        configuration = self._configuration
        with self._making:
            version = configuration._version
            if self._failed == version:
                return None
            if self._client is not None and self._version == version and self._client.is_fit:
                return self._client
            former = self._client
            client = _DestinationClient(configuration)
            try:
                if not configuration.api_key or not isinstance(configuration.api_key, str):
                    raise ValueError("there is no API key")
                if former is not None:
                    former.end(former.options.shutdown_timeout)
                client.start()
            except ValueError as error:
                self._failed = version
                configuration.logger.error("Events cannot be sent: %s", error)
                return None
            left = [] if former is None or not former.is_fit else former.take_left()
            for body, callbacks in left:
                delivery = client.log_event(body)  # type: ignore[arg-type]  # it was an event before
                for callback in callbacks:
                    delivery.add_done_callback(callback)
            self._client, self._version = client, version
        if former is not None:
            former.shutdown(0 if left or not former.is_fit else None)
        return client

    def _tell(self, carrier: Carrier, event: Any, delivery: Delivery) -> None:
        outcome = delivery.outcome
        if outcome is None or outcome.kind in ("skipped", "spooled"):
            return
        if isinstance(event, EventOptions):
            requests = carrier.sent.pop(str(event.insert_id), 0) or outcome.attempts
            event.retry = max(event.retry, requests - 1)
        _outcomes.tell(self._configuration, event, *_outcomes.in_words(outcome))


def _in_one_word(key: object) -> str:
    """A key that `init` takes; which one is sent is not decided by this."""
    return (
        "".join(letter for letter in str(key) if letter.isascii() and letter.isprintable() and letter != " ")
        or "-"
    )


def _complete(future: Future[None]) -> None:
    if future.set_running_or_notify_cancel():
        future.set_result(None)
