"""What `import antinode` costs and does, in a fresh interpreter."""

import json
import subprocess
import sys

HEAVY = [
    "urllib3",
    "http.client",
    "ssl",
    "asyncio",
    "email",
    "rich",
    "antinode.testing",
    "antinode.delivery.transport",
    "logging.handlers",
    "multiprocessing",
    "urllib.request",
    "hashlib",
    "socket",
]


def fresh(code):
    """What `code` leaves in `result`, run in an interpreter of its own."""
    script = f"import json, sys\n{code}\nprint(json.dumps(result))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_import_is_light():
    """It loads no HTTP, TLS, asyncio or test machinery."""
    assert fresh(f"import antinode\nresult = [name for name in {HEAVY} if name in sys.modules]") == []


def test_import_starts_nothing():
    """It starts no thread and takes no signal."""
    code = """
import signal, threading
handler = signal.getsignal(signal.SIGTERM)
import antinode
result = [threading.active_count(), signal.getsignal(signal.SIGTERM) is handler]
"""
    assert fresh(code) == [1, True]
