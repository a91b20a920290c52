"""What may not be sent, in simulated time: whatever is answered, each event ends once, and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import Core
from antinode._delivery.core.withholding import LONGEST_WAIT_SECONDS, Withheld
from antinode._delivery.record import Record
from antinode._protocol.responses import Action, Verdict, unreached
from antinode._protocol.status import Status

ACCEPTED = Verdict(Action.DELIVERED, Status.SUCCESS, 200, "")
USERS = 4
Answers = list["bool | None"]


@given(
    st.lists(st.integers(0, USERS - 1), min_size=1, max_size=40),
    st.lists(
        st.tuples(
            st.lists(st.sampled_from([True, False, None]), min_size=USERS, max_size=USERS), st.booleans()
        ),
        max_size=12,
    ),
)
def test_every_event_ends_once_and_in_order(logged: list[int], course: list[tuple[Answers, bool]]) -> None:
    """Refused events are in no request, unknown ones wait, and no later event of a user passes one."""
    core = Core(CoreConfig(max_batch_events=5, connections=2), random=lambda: 0.5)
    records = [Record(b'{"user_id":"%d"}' % user, user, 0.0) for user in logged]
    for record in records:
        assert core.admit(record)
    now, accepted = 0.0, []
    for _ in range(400):
        answers, is_reached = course.pop() if course else ([True] * USERS, True)
        for upload in core.next_uploads(now):
            allowed = [each for each in upload.records if answers[each.stream] is True]
            withheld = Withheld(
                [each for each in upload.records if answers[each.stream] is False],
                [each for each in upload.records if answers[each.stream] is None],
            )
            verdict = ACCEPTED if is_reached else unreached(Status.TIMEOUT, "")
            if is_reached:
                accepted += allowed
            core.respond(upload.number, verdict if allowed else None, now, withheld=withheld)
            assert all(each.outcome is not None and each.body == b"" for each in withheld.refused)
        assert core.stats(now).balanced
        if core.is_idle:
            break
        now = max(now, core.wake_at(now) or now + LONGEST_WAIT_SECONDS)
    assert core.is_idle
    assert [each.outcome.kind for each in records if each.outcome is not None and each not in accepted] == [
        "dropped"
    ] * (len(records) - len(accepted))
    for user in range(USERS):
        own = [each for each in records if each.stream == user and each in accepted]
        assert own == [each for each in accepted if each.stream == user]
    assert len(accepted) == core.ledger.delivered


def test_the_question_is_put_again_more_and_more_rarely() -> None:
    """After one second first, then twice as much, up to a minute; an answer begins anew."""
    core = Core(CoreConfig(), random=lambda: 0.5)
    core.admit(Record(b'{"user_id":"user-1"}', 1, 0.0))
    now, waits = 0.0, []
    for _ in range(9):
        (upload,) = core.next_uploads(now)
        core.respond(upload.number, None, now, withheld=Withheld([], upload.records, "the answer was None"))
        assert core.next_uploads(now) == []
        wake_at = core.wake_at(now)
        assert wake_at is not None
        waits.append(wake_at - now)
        now = wake_at
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    (upload,) = core.next_uploads(now)
    core.respond(upload.number, ACCEPTED, now, withheld=Withheld([], []))
    core.admit(Record(b'{"user_id":"user-1"}', 1, now))
    (upload,) = core.next_uploads(now + 1)
    core.respond(upload.number, None, now, withheld=Withheld([], upload.records))
    assert core.wake_at(now) == now + 1
