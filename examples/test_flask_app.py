"""What the Flask example logs, and whose events they are."""

from flask_app import app

from antinode.testing import Captured


def test_a_song_is_of_who_plays_it(amplitude: Captured) -> None:
    browser = app.test_client()
    browser.post("/login/user-20391")
    browser.get("/songs/blue-in-green").get_data()
    amplitude.only("Song Played", user_id="user-20391", properties={"title": "blue-in-green"})
    assert [each.type for each in amplitude] == ["Logged In", "Song Played"]
