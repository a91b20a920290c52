"""The pages about other SDKs: every row's Python runs, and is what the doctor writes for its call."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

import antinode
from antinode._options import read_options
from antinode.cli.doctor.migration import scan
from tests.memory import Memory, logging_client, sent

DOCS = Path(__file__).parent.parent / "docs"
BEFORE = {
    "segment": "import segment.analytics as analytics\nfrom segment.analytics import Client\n",
    "posthog": "import posthog\nfrom posthog import Posthog\n",
    "mixpanel": "from mixpanel import BufferedConsumer, Mixpanel\nmp = Mixpanel('KEY')\n",
}
NONE = "—"


class Row(NamedTuple):
    page: str
    theirs: str
    ours: str
    note: str


def rows(page: str) -> list[Row]:
    """The rows of a page's tables, of which the first cells are code."""
    text = (DOCS / f"migrating-{page}.md").read_text("utf-8")
    return [
        Row(page, *(cell.strip().strip("`") for cell in match.groups()))
        for match in re.finditer(r"^\| (`[^|]+`) \| ([^|]+) \| ?([^|]*)\|$", text, re.MULTILINE)
    ]


def named(row: Row) -> str:
    return f"{row.page}: {row.theirs[:60]}"


CALLS = [row for page in BEFORE for row in rows(page)]
ALL = [row for row in (*CALLS, *rows("node")) if row.ours != NONE]


@pytest.mark.parametrize("row", CALLS, ids=named)
def test_the_doctor_writes_what_the_page_says(row: Row, tmp_path: Path) -> None:
    """For the call on the left, the code on the right; and a note where there is none."""
    program = tmp_path / "program.py"
    program.write_text(BEFORE[row.page] + row.theirs, "utf-8")
    last = BEFORE[row.page].count("\n") + 1
    (step,) = (
        step for step in scan.read(program).steps if step.line == last and step.found != "BufferedConsumer()"
    )
    if row.ours == NONE:
        assert (step.write, bool(step.note)) == ("", True)
    else:
        assert ast.unparse(ast.parse(step.write)) == ast.unparse(ast.parse(row.ours))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[dict[str, Any], Memory]]:
    """What the rows' code runs in: a strict client, and the variables that rows mention."""
    memory = Memory()
    monkeypatch.chdir(tmp_path)

    class Policy:
        def next_delay(self, attempt: int, response: antinode.Response) -> float:
            return 0.0

    def init(key: str, instance_name: str | None = None, **options: Any) -> antinode.Client:
        assert key == "KEY"
        read_options(options)
        return antinode.Client()

    def redact(payload: Any, next: Any) -> None:
        next(payload)

    with logging_client(memory, strict=True) as client:
        names = {name: getattr(antinode, name) for name in antinode.__all__}
        yield (
            {
                "antinode": SimpleNamespace(**{**names, "init": init}),
                "client": client,
                "event": {"event_type": "Signed Up", "user_id": "user-20391"},
                "at": datetime(2026, 11, 28, tzinfo=timezone.utc),
                "traits": {"plan": "pro"},
                "handle": lambda delivery: None,
                "policy": Policy(),
                "transport": memory,
                "redact": redact,
                "logging": logging,
            },
            memory,
        )


@pytest.mark.parametrize("row", ALL, ids=named)
def test_every_row_runs(row: Row, world: tuple[dict[str, Any], Memory]) -> None:
    """As it is written; what logs has its events accepted, with nothing in them to object to."""
    names, memory = world
    client = names["client"]
    with antinode.context():
        exec(row.ours, names)  # noqa: S102 - our own pages
    client.opt_out = False
    logs = re.findall(r"client\.(?:log_event|identify|group_identify|revenue|set_group)\(", row.ours)
    if "shutdown" not in row.ours:
        assert len(sent(client, memory)) == len(logs)
    antinode.get_instance("billing").shutdown()


NODE = {
    *("debug", "logLevel", "maxCachedEvents", "maxRetries", "retryTimeouts", "optOut", "retryClass"),
    *("transportClass", "serverUrl", "uploadIntervalInSec", "minIdLength", "requestTimeoutMillis", "onRetry"),
    *("plan", "ingestionMetadata"),
}
ANALYTICS_NODE = {
    *("flushIntervalMillis", "flushMaxRetries", "flushQueueSize", "instanceName", "logLevel"),
    *("loggerProvider", "minIdLength", "offline", "optOut", "plan", "ingestionMetadata", "serverUrl"),
    *("enableRequestBodyCompression", "requestTimeoutMillis", "serverZone", "storageProvider"),
    *("transportProvider", "useBatch"),
}


def test_every_option_of_the_node_sdks_has_a_row() -> None:
    """As the types of @amplitude/node 1.10 and @amplitude/analytics-node 1.5 name them."""
    text = (DOCS / "migrating-node.md").read_text("utf-8")
    first, second = text.split("## `@amplitude/analytics-node`")
    listed = [set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) for part in (first, second)]
    assert listed == [NODE, ANALYTICS_NODE]


@pytest.mark.parametrize("sdk", scan.SDKS, ids=lambda sdk: sdk.name)
def test_every_call_that_the_doctor_knows_is_on_a_page(sdk: Any) -> None:
    """Each method of the SDK has a row, but for those that differ in their names alone."""
    page = sdk.page.removeprefix("docs/migrating-").removesuffix(".md")
    shown = {
        match[1] for row in rows(page) if (match := re.match(r"(?:analytics|posthog|mp)\.(\w+)", row.theirs))
    }
    alike = {name for name in sdk.calls if "feature" in name or "flag" in name or "remote_config" in name}
    assert set(sdk.calls) - alike - {"flush"} <= shown
