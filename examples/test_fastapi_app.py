"""What the FastAPI example logs, and whose events they are."""

from fastapi.testclient import TestClient
from fastapi_app import app

from antinode.testing import Captured


def test_a_song_is_of_who_plays_it(amplitude: Captured) -> None:
    with TestClient(app) as browser:
        browser.post("/login/user-20391")
        browser.get("/songs/blue-in-green")
        browser.get("/health")
    played = amplitude.only("Song Played", user_id="user-20391", properties={"title": "blue-in-green"})
    assert played.properties["path"] == "/songs/blue-in-green"
    amplitude.of("user-20391").assert_logged("Logged In", times=1)
    assert len(amplitude) == 2


def test_strangers_are_told_apart(amplitude: Captured) -> None:
    with TestClient(app) as browser:
        browser.get("/songs/so-what")
    amplitude.of("nobody").only("Song Played")
