"""JSON that is no line and no array: objects over several lines, and bodies of requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._importing.readers import json_stream
from antinode._importing.readers.json_stream import read_objects
from tests.importing.runs import look, song

EVENTS = [song(n, event_properties={"n": n, "text": '}{"]\\'}) for n in range(3)]
BODY = {"api_key": "x", "options": {"min_id_length": 1}, "events": EVENTS, "client_upload_time": {"a": [1]}}

values = st.recursive(
    st.none() | st.integers() | st.text(alphabet='{}[]",\\ é', max_size=8),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(st.text(max_size=4), values, min_size=1, max_size=3)


def found(data: bytes, cut: int) -> list[Any]:
    """The rows and the reasons why others are none, with their numbers."""
    blocks: Iterator[bytes] = (data[at : at + cut] for at in range(0, len(data), cut))
    return [
        (chunk.first + position, chunk.problems.get(position) or json.loads(text))
        for chunk in read_objects(blocks)
        for position, text in enumerate(chunk.texts)
        if text
    ]


@given(
    st.lists(objects, max_size=5),
    st.integers(1, 60),
    st.sampled_from([None, 1, 4]),
    st.sampled_from(["\n", "", ",\n"]),
)
def test_objects_come_back_however_they_are_laid_out(
    given: list[dict[str, Any]], cut: int, indent: int | None, between: str
) -> None:
    """Over lines or in one, with anything between them, wherever blocks end."""
    data = between.join(json.dumps(each, indent=indent, ensure_ascii=False) for each in given).encode()
    assert found(data, cut) == list(enumerate(given, 1))


@given(
    st.lists(st.lists(objects, max_size=3) | objects, max_size=4),
    st.integers(1, 60),
    st.sampled_from([None, 2]),
)
def test_bodies_stand_for_their_events(given: list[Any], cut: int, indent: int | None) -> None:
    """Many of them, among other objects, with what stands behind their events."""
    written = [
        json.dumps(
            {"api_key": "x", "events": each, "options": {"a": [{}]}} if type(each) is list else each,
            indent=indent,
        )
        for each in given
    ]
    wanted = [row for each in given for row in (each if type(each) is list else [each])]
    assert found("\n".join(written).encode(), cut) == list(enumerate(wanted, 1))


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["body.json", "body.txt", "body"])
def test_a_saved_request_is_imported(tmp_path: Path, name: str, indent: int | None) -> None:
    """In one line or several, whatever it is called."""
    (tmp_path / name).write_text(json.dumps(BODY, indent=indent))
    survey = look([tmp_path / name], tmp_path)
    assert (survey.rows, survey.good) == (3, 3)
    (tmp_path / name).write_text(json.dumps({"next": None, "results": EVENTS}, indent=indent))
    assert look([tmp_path / name], tmp_path).good == 3
    (tmp_path / name).write_text(json.dumps(EVENTS[0], indent=indent))
    assert look([tmp_path / name], tmp_path).good == 1


ARRAYS = {
    "one line": json.dumps(EVENTS),
    "indented": json.dumps(EVENTS, indent=2),
    "tabs": json.dumps(EVENTS, indent="\t"),
    "Windows": json.dumps(EVENTS, indent=2).replace("\n", "\r\n"),
    "with a byte order mark": "\ufeff" + json.dumps(EVENTS, indent=2),
    "a line each": "[\n" + ",\n".join(map(json.dumps, EVENTS)) + "\n]\n",
    "a bracket before an object": "[" + json.dumps(EVENTS, indent=2)[1:].lstrip(),
}


@pytest.mark.parametrize("layout", ARRAYS)
def test_an_array_is_imported_however_it_is_laid_out(tmp_path: Path, layout: str) -> None:
    """Its brackets are no rows."""
    (tmp_path / "a.json").write_text(ARRAYS[layout], encoding="utf-8", newline="")
    survey = look([tmp_path / "a.json"], tmp_path)
    assert (survey.rows, survey.good) == (3, 3)


@given(st.binary(max_size=200), st.integers(1, 60))
def test_garbage_is_told_alike_however_it_is_cut(data: bytes, cut: int) -> None:
    """And fails nowhere."""

    def texts(cut: int) -> list[Any]:
        blocks = (data[at : at + cut] for at in range(0, len(data), cut))
        return [
            (chunk.first + position, text, chunk.problems.get(position))
            for chunk in read_objects(blocks)
            for position, text in enumerate(chunk.texts)
        ]

    assert texts(cut) == texts(1000)


def test_what_is_cut_off_or_never_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the objects before it."""
    assert found(b'{"a": 1}\n{\n"b": ', 5) == [(1, {"a": 1}), (2, "the file ends within this object")]
    body = b'{"events": [{"a": 1}, {"b"'
    assert found(body, 5) == [(1, {"a": 1}), (2, "the file ends within this element")]
    monkeypatch.setattr(json_stream, "MAX_ROW", 10_000)
    ((number, reason),) = found(b'{"a": "' + b"x" * 30_000, 1000)
    assert number == 1
    assert "no end of this object" in reason


def test_an_object_that_only_opens_is_given_up_at_once() -> None:
    """Its layers are more than any reader takes, long before its bytes are."""
    looked_at = 0

    def blocks() -> Iterator[bytes]:
        nonlocal looked_at
        while True:
            looked_at += 1
            yield b'{"a":\n' * 1000

    chunks = list(read_objects(blocks()))
    assert "no end of this object" in chunks[-1].problems[0]
    assert looked_at < 5
