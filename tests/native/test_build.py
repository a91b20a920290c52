"""Where the compiled parts lie and run."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from antinode._delivery.core import loops

ROOT = Path(__file__).parent.parent.parent
LOOPS = ("sift", "drain", "fitting", "total_size", "join", "streams_of", "most_attempts", "deliver")


def test_the_compiled_parts_are_used_where_they_are(native: Any, client: Any) -> None:
    """An installation that has them logs through them."""
    assert type(client._hot) is native.Log
    assert all(getattr(loops, name) is getattr(native, name) for name in LOOPS)


SUBINTERPRETER = """
import sys
try:
    import _interpreters
    made = _interpreters.create("legacy")
    run = _interpreters.exec
except ImportError:
    import _xxsubinterpreters as _interpreters
    made = _interpreters.create(isolated=False)
    run = _interpreters.run_string
told = run(made, f'''
import sys
sys.path[:0] = {sys.path!r}
import antinode
class Nowhere:
    def send(self, request): return antinode.HttpResponse(200, {{}}, b"")
    def close(self): pass
client = antinode.init("0" * 32, transport=Nowhere())
client.log_event({{"event_type": "Tick", "user_id": "user-1"}})
print(client.flush(120).delivered, client._hot is not None, flush=True)
client.shutdown(10)
''')
print(told)
"""


def test_a_subinterpreter_delivers(native: Any) -> None:
    """One that shares the global lock, as mod_wsgi makes them."""
    command = [sys.executable, "-c", SUBINTERPRETER]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout == "1 True\nNone\n", done.stdout + done.stderr


def test_the_hook_builds_what_is_used(native: Any) -> None:
    """The library lies where the build puts it, and is this interpreter's."""
    assert Path(native.__file__).name == f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
