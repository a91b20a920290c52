"""Programs of applications whose libraries import `amplitude` themselves, with either SDK in its place.

`python -m tests.amplitude.libraries SDK LIBRARY URL PLACE` runs one; PLACE is where libraries are installed.
"""

from __future__ import annotations

import sys
from concurrent.futures import wait
from importlib import import_module
from typing import Any

KEY = "0123456789abcdef0123456789abcdef"
LONG = "word " * 1000


def make_client(url: str) -> Any:
    amplitude: Any = import_module("amplitude")
    return amplitude.Amplitude(KEY, amplitude.Config(server_url=url, flush_interval_millis=500))


def experiment(url: str) -> None:
    """amplitude-experiment makes its client itself, with a configuration derived from the SDK's."""
    library: Any = import_module("amplitude_experiment")
    exposures: Any = import_module("amplitude_experiment.exposure")
    config = library.LocalEvaluationConfig(
        exposure_config=exposures.ExposureConfig(api_key=KEY, server_url=url, flush_interval_millis=500)
    )
    client = library.LocalEvaluationClient(KEY, config)
    user = library.User(user_id="user-20391", device_id="device-7", groups={"org": ["acme"]})
    variant = library.Variant(value="on", key="on", metadata={"experimentKey": "exp-1", "version": 2})
    client.exposure_service.track(exposures.Exposure(user, {"new-page": variant, "other": variant}))
    client.stop()


def ai(url: str) -> None:
    """amplitude-ai is handed a client, tracks events of a class of its own, and composes their callbacks."""
    library: Any = import_module("amplitude_ai")
    client = make_client(url)
    tracker = library.AmplitudeAI(amplitude=client)
    tracker.track_user_message(user_id="user-20391", content=LONG, session_id="session-1")
    tracker.track_ai_message(
        user_id="user-20391",
        content=LONG,
        session_id="session-1",
        model="gpt-4o",
        provider="openai",
        latency_ms=5.0,
        input_tokens=10,
        output_tokens=20,
    )
    tracker.track_tool_call(
        user_id="user-20391", tool_name="search", latency_ms=1.0, success=True, session_id="session-1"
    )
    wait([future for future in tracker.flush() if future is not None], 10)
    tracker.shutdown()
    client.shutdown()


def mcp(url: str) -> None:
    """amplitude-mcp-analytics tells the SDK's client apart from others, and adds a callback to each event."""
    library: Any = import_module("amplitude_mcp_analytics")
    client = make_client(url)
    analytics = library.AmplitudeMCPAnalytics(amplitude=client, server_name="server", server_version="1.0")
    analytics.track(
        {
            "event_type": "[MCP] Custom",
            "user_id": "user-20391",
            "event_properties": {"text": "words", "count": 3},
            "groups": {"org": "acme"},
        }
    )
    wait([future for future in analytics.flush() if future is not None], 10)
    client.shutdown()


PROGRAMS = {"experiment": experiment, "ai": ai, "mcp": mcp}


if __name__ == "__main__":
    sdk, name, endpoint, place = sys.argv[1:]
    sys.path.append(place)
    if sdk == "antinode.amplitude":
        import_module(sdk).install()
    PROGRAMS[name](endpoint)
