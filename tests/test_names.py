"""One class name stands for one thing, in the whole package."""

import ast
from collections import defaultdict
from pathlib import Path

import antinode

PACKAGE = Path(antinode.__file__).parent

# Names that stand for two things, and why each may. Modules of `antinode.amplitude` that others import have
# the names that Amplitude gave them.
SHARED = {
    "AntinodeMiddleware": "public in antinode.integrations, of ASGI, WSGI and more: each has one",
    "Arrival": "public in antinode.testing; a schema of the server's JSON API",
    "Endpoint": "public in antinode.testing; an upload API among the facts of the protocol",
    "Event": "public in antinode; public in antinode.server, where it is an event that arrived",
    "Identify": "public in antinode; in antinode.amplitude as Amplitude has it",
    "IngestionMetadata": "the same",
    "Plan": "the same",
    "Problem": "what validation says; a schema of the server's JSON API",
    "Revenue": "public in antinode; in antinode.amplitude as Amplitude has it",
    "Stats": "public in antinode; a schema of the server's JSON API",
    "Upload": "public in antinode.server; a request of the delivery core",
}


def test_no_class_name_stands_for_two_things() -> None:
    """Whoever reads a class's name in a traceback or a search knows which class it is."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(set(PACKAGE.rglob("*.py")) - set((PACKAGE / "amplitude").glob("[!_]*.py"))):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(PACKAGE)))
    assert {name for name, where in places.items() if len(where) > 1} == set(SHARED), dict(places)
