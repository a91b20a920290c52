"""The pipeline: what an event goes through between the call that logs it and the encoder."""

from __future__ import annotations

import pytest

from antinode import MiddlewarePayload
from antinode._encoding.encoder import EventEncoder
from antinode._encoding.refusal import Refused
from antinode._middleware import MiddlewareNext
from antinode._pipeline.pipeline import Pipeline
from antinode._pipeline.stages import Passage, Stage, stages_of
from tests.memory import SONG


@pytest.fixture
def encoder() -> EventEncoder:
    return EventEncoder(max_event_bytes=20_000)


def seen_by(name: str) -> Stage:
    def stage(passage: Passage) -> bool:
        before = passage.event.get("event_properties", {}).get("seen by", [])
        passage.event = {**passage.event, "event_properties": {"seen by": [*before, name]}}
        return True

    return stage


def test_an_event_goes_through_the_stages_in_their_order(encoder: EventEncoder) -> None:
    """What the last stage leaves is what is to be encoded, and what may be kept of the event."""
    passage = Passage(SONG)
    assert Pipeline([seen_by("context"), seen_by("middleware")]).lead(passage)
    assert passage.event["event_properties"] == {"seen by": ["context", "middleware"]}
    assert passage.kept == passage.event


def test_an_event_that_is_held_back_goes_no_further(encoder: EventEncoder) -> None:
    """Later stages do not see it, and it is not to be encoded."""
    seen: list[Passage] = []

    def notice(passage: Passage) -> bool:
        seen.append(passage)
        return True

    assert Pipeline([lambda _: False, notice]).lead(Passage(SONG)) is False
    assert seen == []


def test_nothing_is_kept_of_an_event_that_breaks_a_stage(encoder: EventEncoder) -> None:
    """A later stage may have been the one that redacts."""

    def breaking(passage: Passage) -> bool:
        raise LookupError("no such user")

    passage = Passage(SONG)
    with pytest.raises(LookupError):
        Pipeline([breaking]).lead(passage)
    assert passage.kept is None


def test_what_is_refused_before_the_stages_is_kept(encoder: EventEncoder) -> None:
    """Whoever asks why gets to see what was logged."""
    passage = Passage(SONG, once="")
    with pytest.raises(Refused, match="once"):
        Pipeline([]).lead(passage)
    assert passage.kept is SONG


def test_without_middleware_an_event_goes_straight_to_the_encoder(encoder: EventEncoder) -> None:
    """No stage, no copy: the encoder fills in what nobody looks at."""
    passage = Passage(SONG)
    pipeline = Pipeline(stages_of(encoder.defaults, []))
    assert pipeline.is_direct
    pipeline.lead(passage)
    assert passage.event is SONG


def test_middleware_sees_the_complete_event(encoder: EventEncoder) -> None:
    """The defaults are filled in before it, in a copy."""
    seen: list[object] = []

    def look(payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        seen.append(payload.event)
        next(payload)

    stages = stages_of(encoder.defaults, [look])
    assert not Pipeline(stages).is_direct
    passage = Passage(SONG)
    Pipeline(stages).lead(passage)
    assert seen == [passage.event]
    assert passage.event.keys() - SONG.keys() == {"time", "insert_id", "library"}
