"""When an upload is worth making, and when to look again."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from antinode._delivery.core.link import Link, LinkState

if TYPE_CHECKING:
    from antinode._delivery.core.backlog import Backlog
    from antinode._delivery.core.config import CoreConfig
    from antinode._delivery.core.pending import Pending
    from antinode._delivery.core.response_handler import ResponseHandler
    from antinode._delivery.ledger import Ledger

# Uploads of a steady trickle start at least this far apart, so that each carries several events; the first
# event after a pause, a full batch and a flush do not wait.
LINGER_SECONDS = 0.02
# A server that answers within this time gets one request after the other: keeping the streams of several
# requests apart costs more than waiting. Uploads run side by side only at a slower server, or at one that has
# not answered yet and takes as long as this.
PROMPT_SECONDS = 0.04
# The quickest of the last so many answers tells how far away the server is, whatever made others late.
ANSWERS_REMEMBERED = 4
# A server that has been prompt is waited for this long: this process may be what is late.
HICCUP_SECONDS = 0.2
# A request without an answer for this long no longer keeps the events of others waiting.
PATIENCE_SECONDS = 1.0
# A length that no queue reaches, so that nobody is woken. One digit of a CPython int: each call reads it.
NEVER = (1 << 30) - 1
FOREVER = float("inf")


class UploadSchedule:
    """Knows which uploads are under way, and since when. All times by the caller's clock, in seconds."""

    def __init__(
        self,
        config: CoreConfig,
        backlog: Backlog,
        pending: Pending,
        ledger: Ledger,
        response_handler: ResponseHandler,
    ) -> None:
        self._config = config
        self._backlog = backlog
        self._queued = backlog.fresh
        self._pending = pending
        self._ledger = ledger
        self._response_handler = response_handler
        self._interval = config.interval
        self._starts: dict[int, float] = {}
        """When each upload under way was started."""
        self._probe: int | None = None
        """The upload that tests a server which was not well; nothing else is sent beside it."""
        self._seconds_to_answer: deque[float] = deque(maxlen=ANSWERS_REMEMBERED)
        self._last_start = -FOREVER
        self._last_events = 0
        """How many events the last upload carried."""
        self._expects_company = False
        """Whether the last `wake_at` foresees events that will have waited for company, though none waits."""
        self._hurried_at = -FOREVER
        """Records logged up to then do not wait for the interval."""
        self._looked_at = -FOREVER
        self._is_late_until = -FOREVER
        """When to ask again whether it is this process that is late, which it was when last asked."""
        self._saw_queued = self._saw_full = False
        self._enough = min(config.max_batch_events, config.rush_events)
        """So many events are worth an upload of their own, beside others and before their time: as of the
        last `wake_at`, whatever was logged since. `ring_at` counts on it, and is told of no sizes."""

    @property
    def _link(self) -> Link:
        return self._response_handler.link

    # What happens.

    def look(self, now: float, *, is_late: bool) -> None:
        """Uploads are about to be started, if any is worth it. `is_late` as for `Core.next_uploads`."""
        self._looked_at = now
        self._is_late_until = now + PROMPT_SECONDS if is_late else -FOREVER
        if self._backlog.available >= self._config.rush_events:
            self._hurried_at = now

    def started(self, number: int, now: float, events: int) -> None:
        """An upload of so many events starts, by the link as it is before."""
        self._starts[number] = now
        if not self._link.is_healthy:
            self._probe = number
        self._last_start = now
        self._last_events = events

    def ended(self, number: int, now: float, took: float | None, *, is_delivered: bool) -> float:
        """An upload has its answer; `took` is how long the exchange lasted, if known. When it was started."""
        started = self._starts.pop(number, 0.0)
        if is_delivered:
            self._seconds_to_answer.append(now - started if took is None else took)
        if number == self._probe:
            self._probe = None
        return started

    def forget_probe_if_healthy(self) -> None:
        """After an answer was applied to the link: what the probe was to find out may be known."""
        if self._link.is_healthy:
            self._probe = None

    def hurry(self, now: float) -> None:
        """What was logged up to now does not wait for the interval."""
        self._hurried_at = now

    def stop_lingering(self) -> None:
        """Have nothing wait for the interval any more."""
        self._interval = 0.0

    def clear(self) -> None:
        """Forget the uploads under way."""
        self._starts.clear()
        self._probe = None

    # What to do now.

    def may_start(self, now: float) -> bool:
        """Whether the link lets an upload start."""
        free_at = self._free_at()
        return free_at is not None and now >= free_at

    def is_worth_one(self, now: float) -> bool:
        """Whether a new batch should be begun."""
        has_place = len(self._pending.batches) < self._config.connections
        return has_place and bool(self._backlog.available) and now >= self._worth_at(now)

    # When to look again.

    def wake_at(self, now: float, others: float) -> float | None:
        """When uploads should be looked for again if nothing happens until then; None: not needed.

        `others` is when there is something else to do.
        """
        self._enough = self._full_batch()
        self._saw_queued, self._saw_full = bool(self._queued), self._is_full_batch()
        free_at = self._free_at()
        self._expects_company = False
        times = [others]
        if free_at is None or len(self._starts) >= self._config.connections:
            pass  # only an answer can change anything
        elif free_at > now:
            # `ring_at` asks for no ring until then, so this is a time to look again, whatever is queued now.
            times.append(free_at)
        else:
            times.append(self._sendable_at(now))
            if self._starts and (patient_until := self._newest_start() + PATIENCE_SECONDS) > now:
                times.append(patient_until)
            elif self._is_trickle(now):
                # The next events wait until then: no call has to ring for it.
                self._expects_company = True
                times.append(self._last_start + LINGER_SECONDS)
        earliest = min(times)
        return earliest if earliest < FOREVER else None

    def ring_at(self) -> int:
        """At which length of the queue logging should wake the shell, which is about to sleep.

        To be called after `wake_at`, whose answer it completes: whatever that does not foresee rings.
        """
        config = self._config
        free_at = self._free_at()
        if free_at is None or free_at > self._looked_at or len(self._starts) >= config.connections:
            return NEVER
        if self._expects_company:
            return self._missing()
        if self._queued and not self._saw_queued:
            # The records came after `wake_at` had looked, which has to look again.
            return 1
        if self._starts and self._looked_at < self._newest_start() + PATIENCE_SECONDS:
            # A full batch that `wake_at` saw has its time; one that became full since makes it look again.
            return NEVER if self._saw_full else self._missing()
        if self._queued:
            return config.rush_events if self._interval > 0 else self._missing()
        return 1

    def _free_at(self) -> float | None:
        """From when on the link lets an upload start; None: not before an answer."""
        link = self._link
        if self._probe is not None:
            if link.state is not LinkState.OPEN:
                return None
            return self._starts[self._probe] + PATIENCE_SECONDS
        return link.until if link.state is LinkState.WAITING else -FOREVER

    def _sendable_at(self, now: float) -> float:
        """When there is something that is worth sending, as far as the link lets it."""
        if self._pending.has_chunks:
            return now
        backlog = self._backlog
        if len(self._pending.batches) >= self._config.connections:
            return FOREVER
        if backlog.must_go_on:
            return now
        release = backlog.stream_queues.next_release
        worth_at = self._worth_at(now) if backlog.available else FOREVER
        return worth_at if release is None else min(worth_at, release)

    def _worth_at(self, now: float) -> float:
        """When the records that may be taken are worth an upload, beside those under way."""
        if self._is_full_batch():
            return max(now, self._patient_until()) if self._starts else now
        ripe_at = self._ripe_at(now)
        # Natural batching: the answer to come is waited for, unless that request hangs.
        return max(ripe_at, self._newest_start() + PATIENCE_SECONDS) if self._starts else ripe_at

    def _patient_until(self) -> float:
        """Until when a full batch waits for the uploads under way before it goes beside them."""
        answers, oldest = self._seconds_to_answer, self._oldest_start()
        if answers and min(answers) >= PROMPT_SECONDS:
            return oldest
        patient_until = oldest + (HICCUP_SECONDS if answers else PROMPT_SECONDS)
        return min(max(patient_until, self._is_late_until), oldest + PATIENCE_SECONDS)

    def _ripe_at(self, now: float) -> float:
        """When the records that may be taken have waited for company long enough."""
        queued, interval = self._queued, self._interval
        if queued:
            logged_at = queued[0].logged_at
            if logged_at <= self._hurried_at:
                return now
            if interval > 0 and not self._backlog.stream_queues.ready_count:
                return logged_at + interval
        return self._last_start + LINGER_SECONDS

    def _is_trickle(self, now: float) -> bool:
        """Whether nothing waits, in the midst of events that come several to an upload.

        What is logged at the very time of a hurry would not wait for others: see `_ripe_at`.
        """
        is_soon = self._hurried_at < now < self._last_start + LINGER_SECONDS
        return is_soon and self._last_events > 1 and not (self._interval or self._backlog.available)

    def _is_full_batch(self) -> bool:
        available = self._backlog.available
        if available >= self._config.rush_events:
            return True
        if self._interval > 0 and not self._starts:
            return False
        return available >= self._enough

    def _missing(self) -> int:
        """At this length of the queue there is a full batch, with what is ready in stream queues."""
        return max(1, self._enough - self._backlog.stream_queues.ready_count)

    def _full_batch(self) -> int:
        """How many events of the average size make a request that need not wait for more."""
        config, ledger = self._config, self._ledger
        # The bytes of those that wait are not counted apart; the average record tells enough.
        fitting = self._response_handler.max_bytes * max(1, ledger.pending) // max(1, ledger.pending_bytes)
        return max(1, min(config.max_batch_events, config.rush_events, fitting))

    def _oldest_start(self) -> float:
        return min(self._starts.values())

    def _newest_start(self) -> float:
        return max(self._starts.values())
