"""Faults: how they are spelled, whom they strike, and when they are over."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode.server.faults.faults import STATUSES, Fault, Faults, Strike, parse, spell

IDS = st.none() | st.text(min_size=1, max_size=20)
SECONDS = st.floats(min_value=0.001, max_value=86_400)
NEXT = st.none() | st.integers(1, 1000)
PERCENT = st.none() | st.floats(0, 100)

TARGETS = {
    "user_id": IDS,
    "device_id": IDS,
    "path": st.none() | st.text(max_size=10).map("/{}".format),
    "events": st.none() | st.integers(1, 2000),
}
AMOUNTS = {"next": NEXT, "percent": PERCENT}

FAULTS = st.one_of(
    st.builds(
        Fault,
        action=st.just("answer"),
        status=st.sampled_from(STATUSES),
        stored=st.booleans(),
        **TARGETS,
        **AMOUNTS,
    ),
    st.builds(Fault, action=st.just("delay"), seconds=SECONDS, **TARGETS, **AMOUNTS),
    st.builds(Fault, action=st.just("drop"), stored=st.booleans(), **TARGETS, **AMOUNTS),
    st.builds(Fault, action=st.just("down"), seconds=SECONDS),
)


@given(FAULTS)
def test_what_is_spelled_is_read_back(fault):
    """Whatever a fault is, its spelling says all of it, on one line."""
    spelling = spell(fault)
    assert parse(spelling) == fault
    assert len(spelling.split()) == 1


@pytest.mark.parametrize(
    ("spelling", "fault"),
    [
        ("500", Fault(action="answer", status=500)),
        ("500@10%", Fault(action="answer", status=500, percent=10)),
        ("500-after@1%", Fault(action="answer", status=500, stored=True, percent=1)),
        ("503:path=/batch", Fault(action="answer", status=503, path="/batch")),
        ("429:user=user-20391@next=3", Fault(action="answer", status=429, user_id="user-20391", next=3)),
        ("429:user=a@b.example@next=3", Fault(action="answer", status=429, user_id="a@b.example", next=3)),
        ("400:device=a%3Ab", Fault(action="answer", status=400, device_id="a:b")),
        ("delay:2s@20%", Fault(action="delay", seconds=2, percent=20)),
        ("delay:0.25s", Fault(action="delay", seconds=0.25)),
        ("drop-before@next=1", Fault(action="drop", next=1)),
        ("drop-after@5%", Fault(action="drop", stored=True, percent=5)),
        ("down:10s", Fault(action="down", seconds=10)),
    ],
)
def test_spellings(spelling, fault):
    """Each kind has one spelling, which is read and written."""
    assert parse(spelling) == fault
    assert spell(fault) == spelling


@pytest.mark.parametrize(("text", "seconds"), [("delay:250ms", 0.25), ("down:2m", 120), ("down:1h", 3600)])
def test_durations_take_units(text, seconds):
    """A duration may be written in ms, s, m or h."""
    assert parse(text).seconds == seconds


def read(text):
    """The fault, or why it could not be read."""
    try:
        return parse(text)
    except ValueError as error:
        return str(error)


@given(st.text())
def test_any_text_is_a_fault_or_an_explanation(text):
    """What cannot be read raises ValueError with an example of what can, and nothing else."""
    result = read(text)
    assert isinstance(result, Fault) or ("500@10%" in result and len(result) < 500)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' is no status"),
        ("200", "status is 200"),
        ("delay", "seconds is None"),
        ("500:2s", "seconds is for"),
        ("down:1s@next=2", "leave out"),
        ("500@next=0", "next is 0"),
        ("500@101%", "percent is 101"),
        ("500@1%@2%", "percent is given twice"),
        ("500:path=batch", "from its slash"),
        ("500:user=", "'user='"),
        ("500:who=me", "'who=me'"),
        ("drop", "drop-before"),
    ],
)
def test_mistakes_are_named(text, reason):
    """The message names what is wrong."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse(text)


def test_nonsense_from_json_is_refused():
    """A fault that means nothing cannot be made, from JSON neither."""
    with pytest.raises(msgspec.ValidationError, match="takes one of 400, 403"):
        msgspec.json.decode(b'{"action": "answer", "status": 200}', type=Fault)


def strike(faults, path="/2/httpapi", events=1, users=(), devices=(), now_ms=0):
    return faults.strike(path, events, users, devices, now_ms)


def test_no_fault_strikes_nothing():
    """Without faults nothing happens, and nobody asks for ids."""
    assert Faults().strike("/batch", 1, iter_that_fails(), iter_that_fails(), 0) is None


def iter_that_fails():
    raise AssertionError("nobody asked for these")
    yield


def test_ids_are_asked_for_only_if_needed():
    """A fault for everybody looks at no event."""
    faults = Faults([parse("500")])
    assert faults.strike("/batch", 1, iter_that_fails(), iter_that_fails(), 0).status == 500


def test_next_is_one_request_unless_said_otherwise():
    """A fault without an amount strikes once; one with `next` so often."""
    faults = Faults([parse("500"), parse("503@next=2")])
    struck = [strike(faults) for _ in range(4)]
    assert [each.status if each else None for each in struck] == [500, 503, 503, None]
    assert [(each.hits, each.remaining, each.is_over) for each in faults.list(0)] == [
        (1, 0, True),
        (2, 0, True),
    ]


@given(st.integers(0, 2**32), st.floats(0, 100))
def test_a_seed_repeats_the_strikes(seed, percent):
    """The same seed strikes the same requests, also after a reset."""
    faults = Faults([Fault(action="answer", status=500, percent=percent)], seed=seed)
    first = [strike(faults) is None for _ in range(50)]
    faults.reset(0)
    assert [strike(faults) is None for _ in range(50)] == first
    again = Faults([Fault(action="answer", status=500, percent=percent)], seed=seed)
    assert [strike(again) is None for _ in range(50)] == first


def test_a_share_of_none_and_of_all():
    """0 percent strikes none, 100 percent every request."""
    assert all(strike(faults) is None for faults in [Faults([parse("500@0%")])] for _ in range(200))
    assert all(strike(faults) is not None for faults in [Faults([parse("500@100%")])] for _ in range(200))


def test_a_share_of_the_next():
    """With both, `next` bounds how often the share strikes."""
    faults = Faults([parse("500@next=3@50%")], seed=1)
    assert sum(strike(faults) is not None for _ in range(200)) == 3


def test_a_user_is_struck_alone():
    """A 429 for a user strikes only requests with events of this user, and names the user."""
    faults = Faults([parse("429:user=user-1")])
    assert strike(faults, users=["user-2"]) is None
    struck = strike(faults, users=(each for each in ["user-2", "user-1"]))
    assert struck == Strike(spelling="429:user=user-1", status=429, user_id="user-1")


def test_a_path_and_a_device_are_struck_alone():
    """Both have to fit."""
    faults = Faults([parse("500:device=d-1:path=/batch")])
    assert strike(faults, devices=["d-1"]) is None
    assert strike(faults, path="/batch", devices=["d-2"]) is None
    assert strike(faults, path="/batch", devices=["d-1"]).device_id == "d-1"


def test_only_large_requests_may_be_struck():
    """A fault with `events` waits for a request of that many."""
    faults = Faults([parse("413:events=10")])
    assert strike(faults, events=9) is None
    assert strike(faults, events=10).status == 413
    assert strike(faults, events=10) is None, "once"


def test_before_and_after():
    """What fails before is not stored; what fails after is."""
    for spelling, is_cut, stored in [("drop-before", True, False), ("drop-after", True, True)]:
        struck = strike(Faults([parse(spelling)]))
        assert (struck.is_cut, struck.stored, struck.is_refused) == (is_cut, stored, not stored)
    assert not strike(Faults([parse("500-after")])).is_refused
    assert not strike(Faults([parse("delay:1s")])).is_refused


def test_delays_add_to_what_ends_a_request():
    """Delays add up; of the faults that end a request the oldest decides, and the others are kept."""
    faults = Faults([parse("delay:1s"), parse("delay:0.5s"), parse("500"), parse("drop-after")])
    struck = strike(faults)
    assert (struck.delay_s, struck.status, struck.is_cut) == (1.5, 500, False)
    assert struck.spelling == "delay:1s delay:0.5s 500"
    assert strike(faults) == Strike(spelling="drop-after", is_cut=True, stored=True)
    assert strike(faults) is None


def test_down_is_a_time():
    """From when it is added until its seconds are over, every request is cut, and none is stored."""
    faults = Faults()
    faults.add(parse("down:10s"), 1_000)
    assert (
        strike(faults, now_ms=1_000)
        == strike(faults, now_ms=10_999)
        == Strike(spelling="down:10s", is_cut=True)
    )
    assert [each.is_over for each in faults.list(10_999)] == [False]
    assert strike(faults, now_ms=11_000) is None
    assert [(each.hits, each.until, each.is_over) for each in faults.list(11_000)] == [(2, 11_000, True)]


def test_faults_are_taken_back():
    """One by its id, or all; a reset brings back those it began with."""
    faults = Faults([parse("500@50%")])
    added = faults.add(parse("503@50%"), 0)
    assert faults.remove(added.id)
    assert not faults.remove(added.id)
    assert [each.spelling for each in faults.list(0)] == ["500@50%"]
    faults.clear()
    assert faults.list(0) == []
    faults.reset(0)
    assert [(each.id, each.spelling, each.hits) for each in faults.list(0)] == [(1, "500@50%", 0)]


def test_what_is_over_is_kept_for_a_while():
    """Of the faults that are over the newest 50 are listed."""
    faults = Faults()
    for _ in range(60):
        faults.add(parse("500"), 0)
    for _ in range(60):
        assert strike(faults)
    assert [each.id for each in faults.list(0)] == list(range(11, 61))


def test_faults_are_bounded():
    """More than 1,000 in force are refused."""
    faults = Faults([parse("500@1%")] * 1000)
    with pytest.raises(ValueError, match="clear some"):
        faults.add(parse("500"), 0)
