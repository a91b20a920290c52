"""Every Python snippet of the README and the guides runs, and what the guides list is what exists."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy

import antinode
from antinode import _client
from antinode._options import Options
from antinode.amplitude import _destination
from antinode.amplitude.client import _open
from antinode.cli.params.destination import LOCAL_URL
from antinode.testing import Endpoint

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPET = re.compile(r"^( *)```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def snippets(page: Path) -> list[str]:
    """The page's Python blocks, without the indentation of a list that they stand in."""
    text = page.read_text(encoding="utf-8")
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in SNIPPET.findall(text)]


def official_modules() -> list[str]:
    """What `import amplitude` has left in this process."""
    return [name for name in sys.modules if name.partition(".")[0] == "amplitude"]


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """A local endpoint that stands in for Amplitude, and for `antinode serve` where that is to be running.

    What a snippet starts itself is its own.
    """
    with Endpoint() as endpoint:
        make_sender: Callable[..., Any] = _client.make_sender
        # A bare host: each instance gets the path of its own endpoint.
        server = endpoint.url.removesuffix("/2/httpapi")

        def make_local(key: str, options: Options, name: str | None) -> Any:
            url = options.server_url or ""
            if url.startswith("http://127.0.0.1:") and not url.startswith(LOCAL_URL):
                return make_sender(key, options, name)
            return make_sender(
                key, msgspec.structs.replace(options, server_url=server, server_zone="US"), name
            )

        for module in (_client, _destination):
            monkeypatch.setattr(module, "make_sender", make_local)
        # The drop-in takes this name, unless another test of this process has imported the official SDK.
        for name in official_modules():
            monkeypatch.delitem(sys.modules, name)
        yield endpoint
        for name in official_modules():
            del sys.modules[name]
        for drop_in in tuple(_open):
            drop_in.shutdown()
        for client in (antinode.get_instance(), antinode.get_instance("billing")):
            client.shutdown()
            for middleware in client._middleware:
                client.remove_event_middleware(middleware)


@pytest.mark.parametrize("page", [page for page in PAGES if snippets(page)], ids=lambda page: page.name)
def test_snippets_run(page: Path, endpoint: Endpoint) -> None:
    """The Python snippets of a page run, one after the other, as a reader would type them."""
    namespace: dict[str, Any] = {"__name__": "__snippets__"}
    for number, snippet in enumerate(snippets(page)):
        exec(compile(snippet, f"{page.name}, snippet {number}", "exec"), namespace)  # noqa: S102 - our own pages
    antinode.flush(120)
    for engine in [each for each in namespace.values() if isinstance(each, sqlalchemy.Engine)]:
        engine.dispose()  # a page does not, and its connections would be told of in another test


def test_readme_delivers(endpoint: Endpoint) -> None:
    """The first snippet of the README has its event delivered."""
    exec(compile(snippets(ROOT / "README.md")[0], "README.md", "exec"), {})  # noqa: S102 - our own page
    assert [event["event_type"] for event in endpoint.events] == ["Song Played"]


def test_options_page_lists_every_option() -> None:
    """docs/options.md has a row for each option of `init`, and for nothing else."""
    text = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)
    assert sorted(listed) == sorted(Options.__struct_fields__)


def test_links_lead_somewhere() -> None:
    """Every relative link of a page names a file of the project."""
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_shown_waits_for_ever(page: Path) -> None:
    """Whatever a page shows as waiting for a delivery is bounded: in an outage it would hang."""
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"= (?:await \w*delivery|\w+\.result\(\))", text)
    assert not re.findall(r"^\s*(?:await \w*delivery|\w+\.result\(\))", "".join(snippets(page)), re.MULTILINE)
