"""Tables as spreadsheets and data frames save them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._importing.columns import Columns
from antinode._importing.errors import BadMapping, NotReadable
from antinode._importing.readers.delimited import read_table
from antinode._importing.readers.encodings import as_utf8, check_encoding
from antinode.server import running
from tests.importing.runs import look, rejected, run

COLUMNS = Columns(fields={"event_type": "event", "user_id": "user", "time": "at"}, properties=("*",))
HEAD = ["event", "user", "at", "note"]


def rows(data: bytes, delimiter: str | None = None, *, cut: int = 10**9) -> list[Any]:
    """The rows, or why they are none."""
    found: list[Any] = []
    blocks = (data[at : at + cut] for at in range(0, len(data), cut))
    for chunk in read_table(blocks, delimiter=delimiter):
        for position, text in enumerate(chunk.texts):
            found.append(chunk.problems.get(position) or json.loads(text))
    return found


def notes(data: bytes, **more: Any) -> list[str]:
    return [row["note"] for row in rows(data, "\t", **more)]


# Tabs.


QUOTES = (
    b"event\tuser\tat\tnote\n"
    b'A\tu\t1\t"open\n'
    b"A\tu\t2\tplain\n"
    b'A\tu\t3\tclose"\n'
    b'A\tu\t4\t"quoted" start\n'
    b'A\tu\t5\t"all of it"\n'
    b'A\tu\t6\t5" pipe\n'
    b'A\tu\t7\t"last'
)


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_a_quote_between_tabs_swallows_no_row(cut: int) -> None:
    """Whether a cell begins with it or holds it, and wherever blocks end."""
    wanted = ['"open', "plain", 'close"', '"quoted" start', "all of it", '5" pipe', '"last']
    assert notes(QUOTES, cut=cut) == wanted


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_a_cell_of_several_lines_between_tabs_is_one(cut: int) -> None:
    """As spreadsheets and data frames write it."""
    data = b'event\tuser\tat\tnote\nA\tu\t1\t"first\nsecond\tline\n""third"""\nA\t"u\nv"\t2\tx\n'
    assert rows(data, "\t", cut=cut) == [
        dict(zip(HEAD, ["A", "u", "1", 'first\nsecond\tline\n"third"'], strict=True)),
        dict(zip(HEAD, ["A", "u\nv", "2", "x"], strict=True)),
    ]


plain_cells = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)


@given(st.lists(st.tuples(plain_cells, plain_cells, plain_cells), max_size=8), st.integers(1, 40))
def test_what_is_written_without_quotes_is_read_as_it_is(table: list[tuple[str, ...]], cut: int) -> None:
    """Every line is a row, whatever quotes there are, but for cells that are quoted as a whole."""
    data = "".join("\t".join(row) + "\n" for row in [("a", "b", "c"), *table]).encode()

    def unquoted(cell: str) -> str:
        inner = cell[1:-1].replace('""', "")
        is_quoted = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inner
        return cell[1:-1].replace('""', '"') if is_quoted else cell

    found = rows(data, "\t", cut=cut)
    assert len(found) == len([row for row in table if any(row)]) or len(found) == len(table)
    for row, cells in zip(found, table, strict=False):
        assert [row["a"], row["b"], row["c"]] in ([*cells], [unquoted(each) for each in cells])


@given(st.lists(st.lists(plain_cells, min_size=3, max_size=3), max_size=8), st.integers(1, 40))
def test_what_is_quoted_throughout_comes_back(table: list[list[str]], cut: int) -> None:
    """A writer that quotes every cell."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        [["a", "b", "c"], *table]
    )
    found = rows(text.getvalue().encode(), "\t", cut=cut)
    assert [[row["a"], row["b"], row["c"]] for row in found] == table


# Headers.


@pytest.mark.parametrize("first", ["sep=;\n", "sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
def test_the_line_that_names_the_delimiter_is_none_of_the_table(first: str) -> None:
    """As Excel writes it."""
    assert rows(f"{first}a;b\n1,5;2\n".encode()) == [{"a": "1,5", "b": "2"}]


def test_columns_without_a_name_are_left_out_and_told(tmp_path: Path) -> None:
    """The index of a data frame, and what stands behind the last delimiter."""
    path = tmp_path / "a.csv"
    path.write_text(",event,user,at,,\n0,A,user-1,1700000000,,x\n1,B,user-2,1700000001,,\n")
    survey = look([path], tmp_path, columns=COLUMNS)
    assert survey.remarks == (f"{path}: columns 1, 5, 6 without a name left out",)
    assert survey.good == 2
    assert "event_properties" not in survey.samples[0][2]
    path.write_text(",event,user,at\n0,A,user-1\n")
    survey = look([path], tmp_path, columns=COLUMNS)
    assert survey.findings.most_frequent()[0].message == "the row has 3 cells and the header 4"
    with pytest.raises(NotReadable, match="without a name only"):
        rows(b",,\n1,2,3\n")


def test_cells_that_stand_for_nothing_are_left_out(tmp_path: Path) -> None:
    """Of pandas and of databases."""
    path = tmp_path / "a.csv"
    path.write_text("event,user,at,a,b,c,d,e\nA,user-1,1700000000,NaN,<NA>,NaT,\\N,nan\n")
    assert look([path], tmp_path, columns=COLUMNS).samples[0][2]["event_properties"] == {"e": "nan"}


# Encodings.


CAFE = "event;user;at;note\r\nA;user-20391;1700000000;café\r\nA;user-20392;1700000000;tea\r\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", CAFE),
        ("b.jsonl", '{"event":"A","user":"user-20391","at":1700000000,"note":"café"}\n'),
    ],
)
def test_what_is_not_utf_8_says_so_and_keeps_its_bytes(name: str, text: str, tmp_path: Path) -> None:
    """With its encoding, the file can be imported, and so can that of the rows that were rejected."""
    path, kept = tmp_path / name, tmp_path / "rejected"
    path.write_bytes(text.encode("windows-1252"))
    with running() as server:
        report = run([path], tmp_path, server.url, columns=COLUMNS)
        assert report.rejected == 1
        ((note, shown),) = [(row["_rejected"], row["note"]) for row in rejected(kept)]
        assert shown == "caf\N{REPLACEMENT CHARACTER}"
        assert note["reason"] == "the row is not UTF-8: say what it is with --encoding, such as windows-1252"
        # As it stands it is refused once more.
        assert look([kept], tmp_path, columns=COLUMNS).findings.count == 1
        again = run(
            [kept],
            tmp_path,
            server.url,
            columns=COLUMNS,
            encoding="cp1252",
            is_repeated=True,
            rejects=tmp_path / "again",
            checkpoint=tmp_path / "c",
        )
        assert again.delivered == 1
        (event,) = [e for e in server.api.events(limit=10) if e.event["user_id"] == "user-20391"]
        assert event.event["event_properties"] == {"note": "café"}
    survey = look([path], tmp_path, columns=COLUMNS, encoding="windows-1252")
    assert survey.findings.count == 0
    assert survey.samples[0][2]["event_properties"] == {"note": "café"}


def test_a_rejected_row_that_was_mended_by_hand_is_taken(tmp_path: Path) -> None:
    """Though its old bytes are still beside it."""
    row = {
        "_rejected": {"bytes": "eA=="},
        "event": "A",
        "user": "user-1",
        "at": 1_700_000_000,
        "note": "café",
    }
    (tmp_path / "a.rejected").write_text(json.dumps(row))
    assert look([tmp_path / "a.rejected"], tmp_path, columns=COLUMNS).good == 1


def test_a_header_that_is_not_utf_8_is_told_at_once(tmp_path: Path) -> None:
    """Else every row would be refused."""
    (tmp_path / "a.csv").write_bytes("event,user,größe\nA,user-1,2\n".encode("cp1252"))
    with pytest.raises(NotReadable, match=r"a\.csv: the header is not UTF-8.*--encoding"):
        look([tmp_path / "a.csv"], tmp_path, columns=COLUMNS)


@given(st.text(), st.sampled_from(["utf-16-le", "shift_jis", "cp1252", "utf-8"]), st.integers(1, 9))
def test_text_of_any_encoding_becomes_utf_8(text: str, encoding: str, cut: int) -> None:
    """However it is cut; what is already marked is what its mark says."""
    data = text.encode(encoding, "ignore")
    wanted = data.decode(encoding)

    def blocks(data: bytes) -> Iterator[bytes]:
        return (data[at : at + cut] for at in range(0, len(data), cut))

    if not wanted.isascii() and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        assert b"".join(as_utf8(blocks(data), encoding)).decode() == wanted
    marked = text.encode("utf-16-le", "ignore")
    assert b"".join(as_utf8(blocks(b"\xff\xfe" + marked), encoding)).decode() == marked.decode("utf-16-le")


def test_an_encoding_has_to_be_one() -> None:
    """Of text."""
    assert check_encoding("windows-1252") == "windows-1252"
    for name in ("klingon", "base64", ""):
        with pytest.raises(BadMapping, match="no encoding"):
            check_encoding(name)
