"""The names and types of groups."""

from __future__ import annotations

from typing import Any

import pytest

from antinode._protocol.validation import examine

GOOD = {"event_type": "Song Played", "user_id": "datamonster@gmail.com"}


@pytest.mark.parametrize(
    ("groups", "sent", "words"),
    [
        ({"org": 10}, {"org": "10"}, "a number as a name of 'org'"),
        ({"org": 10.0}, {"org": "10"}, "a number"),
        ({"org": 10.5}, {"org": "10.5"}, "a number"),
        ({"org": True}, {"org": "true"}, "a bool"),
        ({"org": None, "team": "a"}, {"team": "a"}, "None as a name of 'org', which was left out"),
        ({"org": [10, None, "x"]}, {"org": ["10", "x"]}, "None as a name"),
        ({"org": (1, 2)}, {"org": ["1", "2"]}, "a number"),
        ({"org": [["a"], "b"]}, {"org": ["b"]}, "a list as a name"),
        ({"org": {"id": 1}, "team": "a"}, {"team": "a"}, "a dict as a name"),
        ({"org": [], "team": "a"}, {"team": "a"}, ""),
        ({7: "a"}, {"7": "a"}, "the int 7 as a type of group, sent as text"),
        ({None: "a", "org": "b"}, {"org": "b"}, "None as a type of group, which was left out"),
        ({"org": object(), "team": "a"}, {"team": "a"}, "`groups.org` was left out"),
    ],
)
def test_names_and_types_become_text(groups: Any, sent: Any, words: str) -> None:
    """Numbers become text as ids do, what has no text is left out, and either is told."""
    found = examine({**GOOD, "groups": groups}, now_ms=0)
    assert found.event["groups"] == sent
    assert not found.problems
    assert words in "; ".join(found.notes)


def test_text_is_left_alone() -> None:
    """What is right is not told."""
    groups = {"org": "10", "team": ["a", "b"]}
    found = examine({**GOOD, "groups": groups}, now_ms=0)
    assert found.event["groups"] == groups
    assert found.notes == ()


def test_digits_that_are_lost_are_no_name() -> None:
    """A float beyond 2**53 would make one group of many."""
    found = examine({**GOOD, "groups": {"org": 1e17}}, now_ms=0)
    assert [each.field for each in found.problems] == ["groups"]
