"""The two pictures of docs/architecture.md, made from the code: `python -m tests.architecture.picture`.

The rooms and their arrows are the imports. The way of an event is written down here as functions and calls,
and each call is looked up in the source: a function that was renamed, or a call that is gone, is an error.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

import grimp

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "src" / "antinode"
PAGE = REPOSITORY / "docs" / "architecture.md"

ROOMS = (
    "cli",
    "relay",
    "server",
    "testing",
    "_importing",
    "_delivery.shell",
    "_delivery.http",
    "_delivery.core",
    "_delivery",
    "_encoding",
    "_spool",
    "_protocol",
)
TOP = "antinode"
"""Every module that is in no other room: the public API, and what joins the rooms."""

SMALL = frozenset(
    {
        "_changing",
        "_digests",
        "_interruptions",
        "_json",
        "_json.by_msgspec",
        "_speedups",
        "_errors",
        "_events",
        "_lazy",
        "_locks",
        "_patterns",
        "_public",
        "_version",
    }
)
"""Modules that know nobody and that everybody may know; arrows to them would only hide the others."""


class Step(NamedTuple):
    """One function on the way of an event."""

    room: str
    module: str
    function: str
    does: str


class Call(NamedTuple):
    """How one step leads to the next: `function` of `module`, the first step's own if empty, uses `name`."""

    start: str
    end: str
    name: str
    says: str = ""
    module: str = ""
    function: str = ""


CLIENT, SENDER, CORE = "_client", "_delivery.shell.sender", "_delivery.core.core"
DISPATCHER = "_delivery.core.dispatcher"
COORDINATOR = "_delivery.shell.coordinator"
PIPELINE, STAGES, RECORDER = "_pipeline.pipeline", "_pipeline.stages", "_pipeline.recorder"
HANDLER, EXCHANGE = "_delivery.core.response_handler", "_delivery.shell.exchange"

STEPS = {
    "log": Step(TOP, CLIENT, "Client.log_event", "on the caller's thread"),
    "pipeline": Step(
        TOP, PIPELINE, "Pipeline.lead", "a dict of the API's keys, with the context; stage after stage"
    ),
    "defaults": Step(TOP, STAGES, "FillIn.__call__", "time, insert_id, plan, …; antinode's own copy"),
    "middleware": Step(TOP, STAGES, "RunMiddleware.__call__", "may change it or hold it back"),
    "record": Step(TOP, RECORDER, "Recorder.record", "the end of the caller's part"),
    "encode": Step("_encoding", "_encoding.encoder", "EventEncoder.encode", "checks; the final bytes"),
    "submit": Step("_delivery.shell", SENDER, "Sender._submit", "wakes the coordinator at the threshold"),
    "admit": Step("_delivery.core", CORE, "Core._admit", "room in memory, the backlog"),
    "step": Step("_delivery.shell", COORDINATOR, "Coordinator._step", "the coordinator's thread"),
    "next": Step("_delivery.core", CORE, "Core.next_uploads", "when, which and how many"),
    "exchange": Step("_delivery.shell", EXCHANGE, "Exchanger.exchange", "an uploader's thread"),
    "send": Step("_delivery.http", "_delivery.http.transport", "HttpTransport.send", "bytes out, answer in"),
    "judge": Step("_protocol", "_protocol.responses", "judge", "answer → verdict: 400, 413, 429, …"),
    "respond": Step("_delivery.core", CORE, "Core.respond", "which batch it was"),
    "apply": Step("_delivery.core", HANDLER, "ResponseHandler.apply", "halve, hold, retry, reject, …"),
    "wait": Step("_delivery.core", "_delivery.core.link", "Link.failed", "the retry wait"),
    "settle": Step(
        "_delivery.core", "_delivery.core.settlement", "Settlement.settle", "one outcome, counted"
    ),
    "bury": Step(TOP, "_deadletters", "DeadLetters.bury", "what was rejected or dropped"),
    "tell": Step("_delivery.shell", "_delivery.shell.notifier", "Notifier.tell", "handles and callbacks"),
}

CALLS = (
    Call("log", "pipeline", "lead", "unless it is a plain dict", CLIENT, "Client._log_unusual"),
    Call("log", "record", "record", "a plain dict, and no middleware", CLIENT, "Client._refresh"),
    Call("pipeline", "defaults", "FillIn", "if there is middleware", STAGES, "stages_of"),
    Call("defaults", "middleware", "RunMiddleware", "", STAGES, "stages_of"),
    Call("pipeline", "record", "record", "", CLIENT, "Client._log_unusual"),
    Call("middleware", "record", "record", "", CLIENT, "Client._log_unusual"),
    Call("record", "encode", "encode"),
    Call("encode", "submit", "submit", "a record", RECORDER, "Recorder.record"),
    Call("submit", "admit", "admit"),
    Call("admit", "step", "_ring", "the bell, or the time", SENDER, "Sender._submit"),
    Call("step", "next", "next_uploads", "", COORDINATOR, "Coordinator._decide"),
    Call("next", "exchange", "exchange", "an upload", "_delivery.shell.flights", "Flights.job"),
    Call("exchange", "send", "send"),
    Call("send", "judge", "judge", "the answer", EXCHANGE, "_judge"),
    Call(
        "judge",
        "respond",
        "respond",
        "the verdict, on the coordinator's thread",
        COORDINATOR,
        "Coordinator._decide",
    ),
    Call("respond", "apply", "apply"),
    Call("apply", "wait", "failed", "no answer, 408, 5xx", HANDLER, "ResponseHandler._on_retry"),
    Call("wait", "next", "_resume", "again, when it is over", DISPATCHER, "Dispatcher.next_upload"),
    Call(
        "apply",
        "next",
        "put_back",
        "halved, held or taken apart: again",
        HANDLER,
        "ResponseHandler._on_halve",
    ),
    Call("apply", "settle", "settle", "an end", HANDLER, "ResponseHandler._on_delivered"),
    Call("settle", "bury", "_on_failures", "if kept", "_delivery.shell.collector", "Collector.bury"),
    Call("settle", "tell", "tell", "", COORDINATOR, "Coordinator._step"),
)


def room_of(module: str) -> str:
    """The room of a module, both named without the package."""
    if module == "__main__":
        return "cli"
    return next((room for room in ROOMS if module == room or module.startswith(f"{room}.")), TOP)


def arrows() -> dict[str, set[str]]:
    """Which rooms each room's modules import from."""
    graph = grimp.build_graph("antinode")
    found: dict[str, set[str]] = {room: set() for room in (TOP, *ROOMS)}
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            start, end = importer.removeprefix("antinode."), imported.removeprefix("antinode.")
            if start not in SMALL and end not in SMALL and room_of(start) != room_of(end):
                found[room_of(start)].add(room_of(end))
    return found


def reduced(direct: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows that do not follow from others."""

    def reached(start: str) -> set[str]:
        return direct[start].union(*(reached(end) for end in direct[start]))

    return [
        (start, end)
        for start, ends in direct.items()
        for end in sorted(ends)
        if not any(end in reached(other) for other in ends - {end})
    ]


def rooms() -> str:
    """The rooms as a flowchart: an arrow means "imports", those that follow from others left out."""
    names = {room: room.strip("_").replace(".", "_") for room in (TOP, *ROOMS)}
    lines = ["flowchart TD"]
    lines += [f'    {name}["{room}"]' for room, name in names.items()]
    lines += [f"    {names[start]} --> {names[end]}" for start, end in reduced(arrows())]
    return "\n".join(lines)


def way() -> str:
    """The way of an event as a flowchart. Raises LookupError for a call that the code does not have."""
    lines = ["flowchart TD"]
    for number, (name, step) in enumerate(STEPS.items(), 1):
        _function(step.module, step.function)
        lines.append(f'    {name}["{number}. <b>{step.function}</b><br>{step.module}<br><i>{step.does}</i>"]')
    for call in CALLS:
        start = STEPS[call.start]
        module, function = call.module or start.module, call.function or start.function
        if call.name not in _names_in(_function(module, function)):
            raise LookupError(f"{module}.{function} does not use {call.name}: mend the way of an event")
        lines.append(
            f'    {call.start} -->|"{call.says}"| {call.end}'
            if call.says
            else f"    {call.start} --> {call.end}"
        )
    for room in dict.fromkeys(step.room for step in STEPS.values()):
        members = ",".join(name for name, step in STEPS.items() if step.room == room)
        lines.append(f"    class {members} {room.strip('_').replace('.', '_')}")
    colours = {
        "antinode": "#dbeafe",
        "encoding": "#dcfce7",
        "delivery_shell": "#ffedd5",
        "delivery_core": "#fef9c3",
        "delivery_http": "#f3e8ff",
        "protocol": "#ffe4e6",
    }
    lines += [
        f"    classDef {room} fill:{fill},stroke:#64748b,color:#0f172a" for room, fill in colours.items()
    ]
    return "\n".join(lines)


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))


def _function(module: str, qualified: str) -> ast.AST:
    node: ast.AST = _tree(module)
    for name in qualified.split("."):
        inner = [each for each in ast.iter_child_nodes(node) if getattr(each, "name", None) == name]
        if not inner:
            raise LookupError(f"{module} has no {qualified}: mend the way of an event")
        node = inner[-1]  # after its overloads
    return node


def _names_in(node: ast.AST) -> set[str]:
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return names | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def page_with_pictures(text: str) -> str:
    """The page with what stands between its markers made anew."""
    for name, picture in (("way", way()), ("rooms", rooms())):
        before, begin, rest = text.partition(
            f"<!-- {name}: made by python -m tests.architecture.picture -->\n"
        )
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        if not end:
            raise LookupError(f"docs/architecture.md has no markers for the picture {name!r}")
        text = f"{before}{begin}```mermaid\n{picture}\n```\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page_with_pictures(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
