"""What an answer, or the lack of one, does to the records that were sent and to the link."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from antinode import _json
from antinode._delivery.core.backlog import Backlog, ids_of
from antinode._delivery.core.batch import NO_LIMIT, Batch, halves
from antinode._delivery.core.link import Cause, Link, LinkState
from antinode._delivery.core.loops import most_attempts
from antinode._delivery.core.settlement import Settlement
from antinode._delivery.outcome import DELIVERED, DROPPED, REJECTED, Outcome
from antinode._delivery.record import Record
from antinode._delivery.retry import Response, RetryPolicy
from antinode._protocol.responses import ELSEWHERE, Action, Verdict
from antinode._protocol.status import Status
from antinode._protocol.texts import one_line
from antinode._protocol.words import agreeing, counted

# After so many answers that name bad events, requests get smaller: on V2 each answer names only the first
# bad event, and a large body is not to be repeated for each of many.
PATIENT_ROUNDS = 3
# After so many single events in a row that were refused without a reason, every request is refused, whatever
# its events. Fewer could be the texts of one attacker, side by side.
REFUSALS_TO_PAUSE = 20
# Fewer are enough of a server that has accepted nothing yet: more likely it is not Amplitude's, or something
# in front of it answers in its place. A wrong guess costs no event.
SUSPECTS_TO_PAUSE = 5
# An event that such a server refused is held back for so long, with its stream, while others are tried.
SUSPECT_HOLD_SECONDS = 60.0
# A smaller size of requests, learned from a 413, is doubled again after so many successes.
GROW_AFTER_SUCCESSES = 20

_REASONS = {Status.RATE_LIMIT: "daily_quota", Status.PAYLOAD_TOO_LARGE: "too_large"}


class Note(NamedTuple):
    """Something the user should be told: a logging level's name, a key for rate limiting, a sentence."""

    level: str
    key: str
    text: str


class Retried(msgspec.Struct, frozen=True):
    """A repeated request was answered: the arguments of `on_retry`."""

    response: Response
    attempt: int
    """Which entry of the schedule it was: 0 for the first repetition, as in the Node SDK."""
    is_last: bool


class ResponseHandler:
    """Applies verdicts. Settles records, or gives them back to their batch or to the backlog; moves the link.

    Nothing here decides when anything is sent: that follows from the state that is left behind.
    """

    def __init__(
        self,
        settlement: Settlement,
        backlog: Backlog,
        policy: RetryPolicy,
        *,
        max_bytes: int,
        random: Callable[[], float],
        kept_in: str | None = None,
    ) -> None:
        """`kept_in` names the store where records outlive this process; None: there is none."""
        self.link = Link()
        self.max_bytes = max_bytes
        """Of the records of one upload: what the endpoint allows, or the smaller size that a 413 taught."""
        self.notes: list[Note] = []
        self.retried: list[Retried] = []
        self._settlement = settlement
        self._backlog = backlog
        self._policy = policy
        self._full_bytes = max_bytes
        self._random = random
        self._is_stored = kept_in is not None
        """Whether records outlive this process, so that nobody who waits for one needs an answer now."""
        self.kept_in = kept_in or "memory"
        """Where events are kept, in words."""
        self._kept = f"events stay in {self.kept_in}, and are tried again rarely"
        self._successes = 0
        self._refusals = 0
        self._has_told_unconfirmed = False
        self.has_accepted = False
        """Whether the server has ever accepted events, or named bad ones among them."""
        self._is_trusted = False
        """Whether it has done so since everything was refused: a refusal is then about the event."""
        self._suspects: list[Record] = []
        """Held back: each was refused by itself, without a reason, by a server that is not trusted."""

    def apply(self, batch: Batch, records: list[Record], verdict: Verdict, now: float) -> None:
        """`records`, sent as a part of `batch` and no longer in a request, were answered with `verdict`."""
        if verdict.action is not Action.DELIVERED:
            self._settlement.ledger.last_error = f"{verdict.code or verdict.status.value}: {verdict.message}"
        attempt = most_attempts(records)
        if attempt:
            response = response_of(verdict)
            is_last = self._next_delay(attempt + 1, response) is None
            self.retried.append(Retried(response, attempt - 1, is_last))
        _HANDLERS[verdict.action](self, batch, records, verdict, now)

    def note_failure(self, error: Exception) -> None:
        """Note where something raised that should not; not its text, which might hold events."""
        place = ""
        traceback = error.__traceback__
        while traceback is not None:
            code = traceback.tb_frame.f_code
            place = f" in {code.co_name} ({code.co_filename}:{traceback.tb_lineno})"
            traceback = traceback.tb_next
        text = f"a fault in antinode was passed over, which costs one event at most: {type(error).__name__}"
        self.note("ERROR", "failure", f"{text}{place}; please report it")

    def hurry(self, now: float) -> None:
        """Bring the probe forward, since somebody waits; with an event held back where there is no other."""
        self.link = link = self.link.hurried(now)
        if link.cause is not Cause.REFUSAL or link.until > now or self._backlog.available:
            return
        queues = self._backlog.stream_queues
        for record in self._suspects:
            queue = queues.get(record.stream)
            if queue is not None and queue.release_at is not None:
                queues.make_ready(queue)
                return

    def note(self, level: str, key: str, text: str) -> None:
        self.notes.append(Note(level, key, text))

    def _on_delivered(self, batch: Batch, records: list[Record], verdict: Verdict, now: float) -> None:
        if not self._is_trusted:
            batch.limit = NO_LIMIT
        self._trust()
        self._is_well(now)
        batch.grow()
        self._successes += 1
        if self.max_bytes < self._full_bytes and self._successes >= GROW_AFTER_SUCCESSES:
            self._successes = 0
            self.max_bytes = min(self._full_bytes, self.max_bytes * 2)
        if not verdict.is_confirmed:
            self._settlement.ledger.discrepancies += len(records)
            self._tell_unconfirmed(verdict)
        elif verdict.ingested is not None and verdict.ingested != len(records):
            self._settlement.ledger.discrepancies += max(0, len(records) - verdict.ingested)
            events = counted(len(records), "event")
            text = f"the server took {events} but says that it ingested {verdict.ingested:,}"
            self.note("WARNING", "ingested", text)
        self._settlement.settle(records, delivered(verdict), sent=1)

    def _tell_unconfirmed(self, verdict: Verdict) -> None:
        if not self._has_told_unconfirmed:
            self._has_told_unconfirmed = True
            text = (
                f"the server {verdict.message} ({verdict.code}): events count as delivered, but unconfirmed"
            )
            self.note(
                "WARNING", "unconfirmed", f"{text}; check that server_url is Amplitude's, or your relay's"
            )

    def _on_sort(self, batch: Batch, records: list[Record], verdict: Verdict, now: float) -> None:
        """The answer names events: drop some, hold some back, send the rest again at once, uncharged."""
        rest: list[Record] = []
        held: dict[int, list[Record]] = {}
        dropped: list[tuple[tuple[Status, str], list[Record]]] = []
        for position, record in enumerate(records):
            reason = verdict.drop.get(position)
            if reason is not None:
                if not dropped or dropped[-1][0] != reason:
                    dropped.append((reason, []))
                dropped[-1][1].append(record)
            elif record.stream in held or _is_throttled(position, record, verdict):
                held.setdefault(record.stream, []).append(record)
            else:
                rest.append(record)
        if len(rest) == len(records):
            self._on_bisect(batch, records, verdict, now)
            return
        self._trust()
        self._is_well(now)
        batch.rounds += 1
        if dropped and batch.rounds > PATIENT_ROUNDS:
            batch.shrink(len(records))
        # In runs rather than by reason, so that outcomes are told in the order of the events.
        for (status, message), refused in dropped:
            self._reject(refused, status, verdict, message)
        if held:
            self._hold(batch, records, held, verdict, now)
        batch.put_back(rest)

    def _hold(
        self,
        batch: Batch,
        records: list[Record],
        held: dict[int, list[Record]],
        verdict: Verdict,
        now: float,
    ) -> None:
        """Have throttled streams wait alone, with their later records, until their rate limits open."""
        backlog = self._backlog
        throttle = backlog.rate_limits.throttle
        for user in verdict.throttled_users:
            throttle(("user", user), now, verdict.wait, verdict.threshold)
        for device in verdict.throttled_devices:
            throttle(("device", device), now, verdict.wait, verdict.threshold)
        for stream in {records[position].stream for position in verdict.hold}:
            throttle(("stream", stream), now, verdict.wait, verdict.threshold)
        # Later records of their streams may be in chunks of this batch that have not been sent yet.
        successors = batch.pull(set(held))
        count = 0
        for stream, sent in held.items():
            keep, own = self._charge(sent, verdict)
            keep = keep + successors.get(stream, [])
            if keep:
                count += len(keep)
                opens_at = backlog.rate_limits.opens_at(backlog.keys_of(keep[0]), now)
                backlog.hold(stream, keep, max(opens_at, now + max(verdict.wait, own or 0.0)))
        if count:
            whose = (
                "a throttled user or device"
                if len(held) == 1
                else f"{len(held):,} throttled users or devices"
            )
            text = f"{counted(count, 'event')} of {whose} {agreeing(count, 'waits', 'wait')}"
            self.note("WARNING", "throttled", f"{text} {verdict.wait:.0f} s: {verdict.message}")

    def _on_bisect(self, batch: Batch, records: list[Record], verdict: Verdict, now: float) -> None:
        """Never send a body again that was refused without naming an event: cut it, down to single events."""
        batch.rounds += 1
        is_ours = not verdict.code
        if len(records) > 1:
            self._is_well(now)
            middle = len(records) // 2
            if batch.rounds > 1 and not (is_ours or self._is_trusted):
                # One small request tells whether the refusal is about the events at all.
                batch.limit = middle = 1
            batch.put_back(records[:middle], records[middle:])
            return
        if is_ours:
            # No server has refused it: what is done with it here fails.
            self._settlement.settle(records, failed(verdict.message), sent=1)
            self.note("ERROR", "failure", f"an event was given up for a fault in antinode: {verdict.message}")
        elif not self._is_trusted and not self._is_last_suspect(batch, records[0]):
            self._suspect(batch, records[0], verdict, now)
            return
        else:
            self._suspects = [each for each in self._suspects if each is not records[0]]
            self._reject(records, verdict.status, verdict, verdict.message)
        self._refuse_one(verdict, now)

    def _on_halve(self, batch: Batch, records: list[Record], verdict: Verdict, now: float) -> None:
        batch.rounds += 1
        if len(records) == 1:
            # No event is larger than Amplitude takes, so a 413 for one is by something in front of it.
            if verdict.is_own:
                self._reject(records, Status.PAYLOAD_TOO_LARGE, verdict, verdict.message)
                self._refuse_one(verdict, now)
            elif self._is_trusted:
                self._give_up_at_limit(records, verdict)
                self._is_well(now)
            else:
                self._suspect(batch, records[0], verdict, now)
            return
        self._is_well(now)
        parts = halves(records)
        self._successes = 0
        self.max_bytes = min(
            self.max_bytes, max(sum(len(record.body) + 1 for record in part) for part in parts)
        )
        batch.put_back(*parts)

    def _give_up_at_limit(self, records: list[Record], verdict: Verdict) -> None:
        size = len(records[0].body)
        message = (
            f"{verdict.message}: something before the server takes no event of {size:,} bytes, as Amplitude "
            "does: raise its limit on request bodies (nginx: client_max_body_size)"
        )
        self._settlement.settle(records, _misconfigured(verdict, message), sent=1)
        self.note("ERROR", "body limit", f"an event was dropped: {message}")

    def _trust(self) -> None:
        """Give the events that were held back another try: the server accepts events, or names bad ones."""
        self._refusals = 0
        self.has_accepted = self._is_trusted = True
        suspects, self._suspects = self._suspects, []
        queues = self._backlog.stream_queues
        for record in suspects:
            queue = queues.get(record.stream)
            if queue is not None and queue.release_at is not None:
                queues.make_ready(queue)

    def _suspect(self, batch: Batch, record: Record, verdict: Verdict, now: float) -> None:
        """Hold back an event that was refused by itself: it is bad, or the server is none of Amplitude's.

        Others are tried. Once the server accepts one, or names a bad one, the next answer judges this one.
        """
        backlog = self._backlog
        successors = batch.pull({record.stream}).get(record.stream, [])
        backlog.hold(record.stream, [record, *successors], now + SUSPECT_HOLD_SECONDS)
        if not any(each is record for each in self._suspects):
            self._suspects.append(record)
        is_last = not (batch.chunks or backlog.available)
        if len(self._suspects) < SUSPECTS_TO_PAUSE and not is_last and self.link.cause is not Cause.REFUSAL:
            self._is_well(now)
            return
        if self.link.cause is not Cause.REFUSAL:
            text = f"uploading pauses: the server refuses everything from the start: {verdict.message}"
            self.note("ERROR", "refusal", f"{text}; {ELSEWHERE}; {self._kept}")
        self.link = self.link.faulted(now, jitter=self._random(), why=verdict.message, cause=Cause.REFUSAL)
        if not self._is_stored:
            self._answer_waiting(verdict)
        for suspect in self._suspects:
            queue = backlog.stream_queues.get(suspect.stream)
            if queue is not None and not queue.is_ready:
                # Any other event is the better probe; where there is none, these go a moment later.
                backlog.stream_queues.hold(queue, self.link.until + 1.0)

    def _is_last_suspect(self, batch: Batch, record: Record) -> bool:
        """Whether a server that has accepted events refuses this one again, and nothing else is left to try.

        It is judged then, since events held back might fill the memory, and what is on disk would stay there.
        """
        is_again = any(each is record for each in self._suspects)
        return self.has_accepted and is_again and not (batch.chunks or self._backlog.available)

    def _answer_waiting(self, verdict: Verdict) -> None:
        """Settle the events held back whose outcome somebody waits for."""
        awaited = [record for record in self._suspects if record.callbacks]
        if awaited:
            self._suspects = [record for record in self._suspects if not record.callbacks]
            for record in awaited:
                self._backlog.remove(record)
            message = f"{verdict.message}; the server has accepted nothing so far: {ELSEWHERE}"
            self._settlement.settle(awaited, _misconfigured(verdict, message), sent=1)

    def _refuse_one(self, verdict: Verdict, now: float) -> None:
        """Count an event that was refused by itself: so many in a row mean that every request is refused."""
        self._refusals += 1
        if self._refusals < REFUSALS_TO_PAUSE:
            self._is_well(now)
            return
        if self.link.cause is not Cause.REFUSAL:
            text = f"{counted(self._refusals, 'event')} in a row were refused one by one, uploading pauses"
            hint = "check server_url, and proxies and firewalls on the way"
            self.note("ERROR", "refusal", f"{text}: {verdict.message} ({hint})")
        self._is_trusted = False
        self.link = self.link.faulted(now, jitter=self._random(), why=verdict.message, cause=Cause.REFUSAL)

    def _on_retry(self, batch: Batch, records: list[Record], verdict: Verdict, now: float) -> None:
        keep, own = self._charge(records, verdict)
        batch.put_back(keep)
        was = self.link
        self.link = was.failed(now, asked=verdict.wait, own=own, jitter=self._random(), why=_why(verdict))
        if self.link.failures == 1:
            self.note("INFO", "retry", f"an upload failed and is repeated: {_with_advice(verdict)}")
        elif self.link.failures > was.failures:
            text = f"uploads fail; events are kept and tried again: {_with_advice(verdict)}"
            self.note("WARNING", "outage", text)

    def _on_wait(self, batch: Batch, records: list[Record], verdict: Verdict, now: float) -> None:
        keep, own = self._charge(records, verdict)
        batch.put_back(keep)
        wait = max(verdict.wait, own or 0.0)
        self.link = self.link.throttled(now, wait=wait, why=_why(verdict))
        self.note("WARNING", "project", f"all uploads wait {wait:.0f} s: {verdict.message}")

    def _on_stop(self, batch: Batch, records: list[Record], verdict: Verdict, now: float) -> None:
        if 200 <= verdict.code < 300:
            self._settlement.ledger.discrepancies += len(records)
        if not self.link.is_faulted:
            text = f"uploading pauses for a configuration fault: {verdict.message}"
            self.note("ERROR", "fault", f"{text}; {self._kept}")
        self.link = self.link.faulted(now, jitter=self._random(), why=verdict.message)
        awaited = [] if self._is_stored else [record for record in records if record.callbacks]
        self._settlement.settle(awaited, _misconfigured(verdict, verdict.message), sent=1)
        batch.put_back([record for record in records if record.outcome is None])

    def _is_well(self, now: float) -> None:
        """Hear that the server understood a request, whether or not it accepted the events."""
        was = self.link
        self.link = was.succeeded(now)
        if was.state is LinkState.PROBING and (was.failures > 1 or was.is_refused):
            self.note("WARNING", "recovered", "uploads succeed again")

    def _charge(self, records: list[Record], verdict: Verdict) -> tuple[list[Record], float | None]:
        """Count an attempt and ask the policy: what to send again, and the wait (see `Link.failed`)."""
        for record in records:
            record.attempts += 1
        response = response_of(verdict)
        delays = {attempt: self._next_delay(attempt, response) for attempt in {r.attempts for r in records}}
        longest = max([delay for delay in delays.values() if delay is not None], default=0.0)
        exhausted = [record for record in records if delays[record.attempts] is None]
        if not exhausted:
            return records, longest or None
        message = f"given up by the retry policy: {verdict.message}"
        outcome = Outcome(
            DROPPED, verdict.status, "retries_exhausted", verdict.code, message, body=verdict.body
        )
        self._settlement.settle(exhausted, outcome)
        return [record for record in records if delays[record.attempts] is not None], longest

    def _next_delay(self, attempt: int, response: Response) -> float | None:
        """The wait that the policy names. It may be the user's code: whatever it does, delivery goes on."""
        try:
            delay = self._policy.next_delay(attempt, response)
            if delay is None:
                return None
            delay = float(delay)
        except Exception as error:
            self.note(
                "ERROR", "policy", f"the retry policy raised {type(error).__name__}; the backoff decides"
            )
            return 0.0
        return delay if 0.0 <= delay < math.inf else 0.0

    def _reject(self, records: list[Record], status: Status, verdict: Verdict, message: str) -> None:
        reason = _REASONS.get(status, "refused")
        outcome = Outcome(REJECTED, status, reason, verdict.code, message, attempts=1, body=verdict.body)
        self._settlement.settle(records, outcome, sent=1)
        count = len(records)
        events = f"{counted(count, 'event')} {agreeing(count, 'was', 'were')} rejected"
        such_as = f"{'' if count == 1 else 'such as '}{_type_of(records[0])}"
        self.note("WARNING", f"rejected:{reason}", f"{events} ({such_as}): {message}")


_HANDLERS: Mapping[Action, Callable[[ResponseHandler, Batch, list[Record], Verdict, float], None]] = {
    Action.DELIVERED: ResponseHandler._on_delivered,
    Action.SORT: ResponseHandler._on_sort,
    Action.BISECT: ResponseHandler._on_bisect,
    Action.HALVE: ResponseHandler._on_halve,
    Action.RETRY: ResponseHandler._on_retry,
    Action.WAIT: ResponseHandler._on_wait,
    Action.STOP: ResponseHandler._on_stop,
}


def _is_throttled(position: int, record: Record, verdict: Verdict) -> bool:
    if position in verdict.hold:
        return True
    if not (verdict.throttled_users or verdict.throttled_devices):
        return False
    user, device = ids_of(record)
    return user in verdict.throttled_users or device in verdict.throttled_devices


def failed(message: str) -> Outcome:
    """The outcome of a record that raises in whatever is done with it."""
    text = f"a fault in antinode kept this event from being sent: {message}"
    return Outcome(DROPPED, Status.SYSTEM_ERROR, "failed", message=text)


def _misconfigured(verdict: Verdict, message: str) -> Outcome:
    return Outcome(DROPPED, Status.FAILED, "configuration", verdict.code, message, 1, body=verdict.body)


def delivered(verdict: Verdict) -> Outcome:
    """The outcome of records that were accepted."""
    reason = "delivered" if verdict.is_confirmed else "unconfirmed"
    return Outcome(
        DELIVERED, Status.SUCCESS, reason, verdict.code, verdict.message, attempts=1, body=verdict.body
    )


def _type_of(record: Record) -> str:
    """The event's type, as a log line may quote it."""
    try:
        event_type = _json.loads(record.body).get("event_type")
    except (ValueError, AttributeError):
        return "an event that cannot be read"
    return f'"{one_line(str(event_type))}"'


def _with_advice(verdict: Verdict) -> str:
    """What failed, in words; where no server answered, with what to do about it."""
    has_advice = verdict.code or "; " in verdict.message
    return verdict.message if has_advice else f"{verdict.message}; `antinode doctor` says why"


def _why(verdict: Verdict) -> str:
    return f"{verdict.code or verdict.status.value}: {verdict.message}"


def response_of(verdict: Verdict) -> Response:
    return Response(verdict.status, verdict.code, verdict.message, verdict.body)
