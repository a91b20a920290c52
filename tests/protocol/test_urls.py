"""How a URL is taken apart."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._protocol.urls import split_url
from tests.lifecycle.driver import run

_pieces = st.sampled_from(
    [
        *(
            "http",
            "https",
            "HTTP",
            "ftp",
            ":",
            "//",
            "/",
            "api.example",
            "API",
            "[::1]",
            "u:p@",
            "8300",
            "-1",
        ),
        *("99999", "?a=b", "#c", "%20", "\xe9", "..", "_", "~", "2/httpapi", "\xb2", "\t", " "),
    ]
)
_urls = st.one_of(
    st.lists(_pieces, max_size=8).map("".join),
    st.builds("http://{}{}{}".format, st.text("abcXYZ09.-_:[]@", max_size=12), _pieces, _pieces),
    st.builds("https://api.example:{}/{}".format, st.integers(-1, 70_000), st.text(max_size=5)),
)


@given(url=_urls, path=st.sampled_from(["/batch", "/2/httpapi"]))
def test_urls_are_split_as_by_the_standard_library(url: str, path: str) -> None:
    """All their parts, and what is no URL is refused alike."""
    try:
        parts = urlsplit(url)
        wanted = parts.hostname, parts.port
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - the words are Python's
            split_url(url)
        return
    found = split_url(url)
    assert (found.scheme, found.netloc, found.path, found.query, found.fragment) == tuple(parts)
    assert (found.host, found.port) == wanted
    if found.scheme.startswith("http") and found.host:
        assert found.with_path(path) == parts._replace(path=path).geturl()


def test_usual_urls_need_nothing_of_the_standard_library() -> None:
    """Amplitude's, and those of servers of one's own."""
    ended = run(
        """
import sys
from antinode._protocol.urls import split_url
for url in "https://api2.amplitude.com/2/httpapi", "http://127.0.0.1:8300/batch", "http://relay.internal":
    split_url(url)
print("urllib.parse" in sys.modules)
""",
        bare=True,
    )
    assert ended.lines == ["False"]
