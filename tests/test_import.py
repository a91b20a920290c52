"""What `import antinode` costs and does, in a fresh interpreter."""

import json
import subprocess
import sys

import pytest

HEAVY = [
    "urllib3",
    "http.client",
    "ssl",
    "asyncio",
    "email",
    "rich",
    "antinode.testing",
    "antinode._delivery.http.transport",
    "logging.handlers",
    "multiprocessing",
    "urllib.request",
    "socket",
]


def fresh(code):
    """What `code` leaves in `result`, run in an interpreter of its own."""
    script = f"import json, sys\n{code}\nprint(json.dumps(result))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


EVERYTHING = "import antinode\nfor name in antinode.__all__: getattr(antinode, name)"


def test_import_is_light():
    """It loads no HTTP, TLS, asyncio or test machinery, however much of it is asked for."""
    assert fresh(f"{EVERYTHING}\nresult = [name for name in {HEAVY} if name in sys.modules]") == []


def test_import_loads_what_is_used():
    """By itself it loads nothing of its own; the client comes with the first name that needs it."""
    loaded = "sorted(name for name in sys.modules if name.startswith('antinode.'))"
    assert fresh(f"import antinode\nresult = {loaded}") == [
        "antinode._lazy",
        "antinode._lifecycle",
        "antinode._lifecycle.exit",
        "antinode._version",
    ]
    assert "antinode._client" in fresh(f"import antinode\nantinode.init\nresult = {loaded}")


WITHOUT_PROXIES = """
import os, sys
for name in [each for each in os.environ if each.lower().endswith("_proxy")]: del os.environ[name]
"""


def test_init_loads_what_proxies_need_only_for_one():
    """urllib3 carries requests through them; without one, `init` is a fifth quicker."""
    code = f"""{WITHOUT_PROXIES}
import antinode
result = []
for options in {{}}, {{"proxy": "http://127.0.0.1:9"}}:
    antinode.Client().init("k" * 32, server_url="https://127.0.0.1:9", shutdown_timeout=0, **options)
    result.append("urllib3" in sys.modules)
"""
    assert fresh(code) == [False, True]


# What one way or another loads them all takes half as long again as `init` does.
NEVER = [
    *("asyncio", "email", "hashlib", "http.client", "multiprocessing", "random", "shutil", "tempfile"),
    *("urllib.parse", "urllib.request", "urllib3"),
]


@pytest.mark.parametrize(
    ("options", "besides"),
    [
        ("", []),
        ("server_url='http://127.0.0.1:9'", ["encodings.idna", "ssl"]),
        ("server_url='http://127.0.0.1:9', storage=sys.argv[1]", ["encodings.idna", "ssl"]),
        ("transport=Transport()", ["antinode._delivery.http", "socket", "ssl"]),
        (
            "transport=Transport(), storage=sys.argv[1]",
            ["antinode._delivery.http", "socket", "ssl"],
        ),
    ],
)
def test_init_loads_what_its_options_need(tmp_path, options, besides):
    """No client for HTTP but antinode's own, and nothing of TLS where there is none."""
    code = f"""{WITHOUT_PROXIES}
sys.argv = ["", {str(tmp_path / "spool")!r}]
class Transport:
    def send(self, request): raise OSError
    def close(self): pass
before = set(sys.modules)
import antinode
antinode.init("k" * 32, shutdown_timeout=0, {options})
result = sorted({{*{NEVER + besides}}} & (set(sys.modules) - before))
"""
    assert fresh(code) == []


def test_import_starts_nothing():
    """It starts no thread and takes no signal."""
    code = f"""
import signal, threading
handler = signal.getsignal(signal.SIGTERM)
{EVERYTHING}
result = [threading.active_count(), signal.getsignal(signal.SIGTERM) is handler]
"""
    assert fresh(code) == [1, True]


def test_import_takes_its_place_at_exit():
    """Exit handlers registered after the import run before antinode's own, although it loads later."""
    code = """
import antinode, atexit, sys
class Transport:
    def send(self, request):
        sys.stdout.write("sent\\n")
        return antinode.HttpResponse(200, {}, b'{"code": 200}')
    def close(self):
        pass
atexit.register(lambda: sys.stdout.write("handler\\n"))
client = antinode.init("k" * 32, transport=Transport(), upload_interval_in_sec=60)
client.log_event({"event_type": "A", "user_id": "user-1"})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["handler", "sent"]
