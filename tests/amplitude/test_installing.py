"""In the place of the other SDK, in processes of their own."""

from __future__ import annotations

import subprocess
import sys

from antinode.testing import Endpoint
from tests.amplitude.ours import KEY


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_installing_takes_the_place_of_the_other(endpoint: Endpoint) -> None:
    """Libraries that import `amplitude` and its modules get ours, and what they track arrives at exit."""
    said = run(
        f"""
import antinode.amplitude
antinode.amplitude.install()
antinode.amplitude.install()
import amplitude, amplitude.client
from amplitude import Amplitude, Config, BaseEvent
from amplitude.plugin import EventPlugin
from amplitude.constants import LOGGER_NAME
import antinode
assert amplitude is antinode.amplitude and amplitude.client.Amplitude is Amplitude
client = Amplitude({KEY!r}, Config(server_url={endpoint.url!r}))
client.track(BaseEvent("Song Played", "user-20391"))
print(Amplitude.__module__)
"""
    )
    assert said == "antinode.amplitude.client\n"
    assert [each["event_type"] for each in endpoint.events] == ["Song Played"]


def test_installing_too_late_is_an_error() -> None:
    """Who has imported the other one would go on with it."""
    run(
        """
import amplitude, antinode.amplitude
try:
    antinode.amplitude.install()
except ImportError as error:
    assert "install() first" in str(error), error
else:
    raise SystemExit("no error")
"""
    )


def test_destinations_end_at_exit() -> None:
    """A destination of one's own is shut down while threads can still be started."""
    said = run(
        f"""
from concurrent.futures import ThreadPoolExecutor
from antinode.amplitude import Amplitude, BaseEvent, DestinationPlugin
class Own(DestinationPlugin):
    def shutdown(self):
        print(ThreadPoolExecutor().submit(lambda: "sent").result())
Amplitude({KEY!r}).add(Own())
"""
    )
    assert said == "sent\n"


def test_antinode_does_not_load_it() -> None:
    """Who does not use it does not pay for it."""
    run(
        "import sys, antinode; antinode.init\n"
        "assert not [each for each in sys.modules if 'amplitude' in each]"
    )
