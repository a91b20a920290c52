"""What the Django example logs, and whose events they are: by Django's own test case."""

import django_app  # noqa: F401 - sets Django up
from django.test import SimpleTestCase

from antinode.testing import capture


class SongTest(SimpleTestCase):
    def test_a_song_is_of_who_plays_it(self) -> None:
        with capture() as amplitude:
            self.client.post("/login/user-20391")
            self.client.get("/songs/blue-in-green").getvalue()
        amplitude.only("Song Played", user_id="user-20391", properties={"title": "blue-in-green"})
        amplitude.assert_logged("Logged In", user_id="user-20391", times=1)
