"""Processes that are started from one saved image."""

from __future__ import annotations

from pathlib import Path

import pytest

from antinode.testing import Endpoint
from tests.lifecycle.driver import run

# In the place of the platform's module.
_HOOKS = """
hooks = []

def register_after_restore(hook, *arguments):
    hooks.append(lambda: hook(*arguments))
"""


@pytest.mark.parametrize("kind", ["snap-start", "on-demand"])
def test_insert_ids_are_new_after_a_restore(endpoint: Endpoint, tmp_path: Path, kind: str) -> None:
    """Of all clients, by the hook that the platform offers; where there are no images, nothing is asked."""
    (tmp_path / "snapshot_restore_py.py").write_text(_HOOKS)
    ended = run(
        f"""
        import json, os
        os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"] = {kind!r}
        sys.path.insert(0, {str(tmp_path)!r})
        import antinode
        clients = [
            antinode.init(KEY, instance_name=name, server_url=URL, upload_interval_in_sec=60)
            for name in ("one", "two")
        ]

        def prefixes():
            return [client.log_event(event(0)).event()["insert_id"][:24] for client in clients]

        before = prefixes()
        hooks = __import__("snapshot_restore_py").hooks if {kind == "snap-start"} else []
        for hook in hooks:
            hook()
        say(len(hooks), len({{*before, *prefixes()}}), "snapshot_restore_py" in sys.modules)
        """,
        endpoint.url,
    )
    assert ended.lines == ["1 4 True" if kind == "snap-start" else "0 2 False"], ended
