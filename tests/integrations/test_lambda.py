"""The example function under AWS's own runtime client: what an invocation logs has left when it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from antinode.testing import Endpoint
from tests.integrations.servers import ROOT
from tests.lifecycle.driver import KEY

pytest.importorskip("awslambdaric")


class Runtime(ThreadingHTTPServer):
    """The runtime API of AWS Lambda: hands out invocations, and notes what had arrived when each ended."""

    daemon_threads = True

    def __init__(self, endpoint: Endpoint, invocations: list[dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = endpoint
        self.waiting = list(enumerate(invocations))
        self.ended: list[tuple[str, int]] = []
        self.is_idle = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Runtime
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self.server.waiting:
            # The sandbox is frozen here, perhaps for ever.
            self.server.is_idle.set()
            return
        number, event = self.server.waiting.pop(0)
        body = json.dumps(event).encode()
        self.send_response(200)
        for name, value in {
            "Lambda-Runtime-Aws-Request-Id": f"request-{number}",
            "Lambda-Runtime-Deadline-Ms": "4102444800000",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:f",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.ended.append((self.path.rsplit("/", 1)[1], len(self.server.endpoint.events)))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_events_have_left_when_an_invocation_ends(endpoint: Endpoint) -> None:
    """Also one that raises; nothing is left to the exit, which never comes."""
    invocations = [{"user": "user-0"}, {"user": "user-1", "fails": True}, {"user": "user-2"}]
    runtime = Runtime(endpoint, invocations)
    threading.Thread(target=runtime.serve_forever, daemon=True).start()
    environment = {
        **os.environ,
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime.server_address[1]}",
        "AMPLITUDE_API_KEY": KEY,
        "ANTINODE_SERVER_URL": endpoint.url, "UPLOAD_INTERVAL": "600", "AWS_LAMBDA_FUNCTION_NAME": "f",
        "LAMBDA_TASK_ROOT": str(ROOT / "examples"),
    }  # fmt: skip
    function = subprocess.Popen(
        [sys.executable, "-m", "awslambdaric", "lambda_function.handler"],
        cwd=ROOT / "examples", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert runtime.is_idle.wait(120), function.poll()
    finally:
        function.send_signal(signal.SIGKILL)
        written = function.communicate(timeout=120)[0]
        runtime.shutdown()
        runtime.server_close()
    assert runtime.ended == [("response", 1), ("error", 2), ("response", 3)], written
    seen = [(each["user_id"], each["event_properties"]["request"]) for each in endpoint.events]
    assert seen == [(f"user-{number}", f"request-{number}") for number in range(3)]
