"""Keys, passwords and queries in texts from outside: none of them is shown, however it is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode import ConfigurationError
from antinode._delivery.http.transport import HttpTransport
from antinode._delivery.messages import HttpResponse, Request, TransportError
from antinode._options import read_options
from antinode._protocol.responses import judge
from antinode._protocol.secrets import public_url, without_secrets
from antinode._protocol.texts import one_line
from antinode.server.ingest.masking import beginning

KEY = "0123456789abcdef0123456789abcdef"
SHADES: list[Callable[[str], str]] = [one_line, without_secrets, lambda text: beginning(text.encode())]


def quote_twice(text: str) -> str:
    return quote(quote(text))


def percent(text: str) -> str:
    return "".join(f"%{ord(each):02x}" for each in text)


@pytest.mark.parametrize("shade", SHADES)
@pytest.mark.parametrize("key", [KEY, KEY.upper(), percent(KEY), percent(KEY).upper()])
@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "key{}",
        "the{}key",
        "{}xyz",
        "_{}_",
        "é{}é",
        "/{}/",
        "%22{}%22",
        "%3D{}%26",
        "0x{}",
        "api%5Fkey%3D{}",
        "{}{}",
        "%7B%22api_key%22%3A%22{}%22%7D",
        "wrong\x9b{}\x1b[m",
    ],
)
def test_what_looks_like_a_key_is_masked(form: str, key: str, shade: Callable[[str], str]) -> None:
    """Glued to letters, between marks, percent-encoded in part or whole: not eight characters are left."""
    shown = shade(form.format(key, key))
    assert not any(key[at : at + 8] in shown for at in range(len(key) - 7))


@pytest.mark.parametrize("shade", SHADES)
@pytest.mark.parametrize("encode", [str, quote, quote_plus, quote_twice, json.dumps])
@pytest.mark.parametrize(
    "form",
    ['{{"api_key":"{}","events":[]}}', "{{'apiKey': '{}'}}", "api_key={}&e=1", "API-Key: {}"],
)
def test_what_is_called_a_key_is_masked(
    form: str, encode: Callable[[str], str], shade: Callable[[str], str]
) -> None:
    """What is named an API key is masked whatever it looks like, in JSON, forms and their encodings."""
    assert "prod-secret" not in shade(encode(form.format("prod-secret-of-ours")))


@pytest.mark.parametrize("length", range(4050, 4110))
def test_a_key_at_the_cut_is_not_shown_in_part(length: int) -> None:
    """A long body is cut, and a key there is not left with its beginning."""
    text = "x " * (length // 2) + KEY + " rest" * 100
    for shade in SHADES:
        assert KEY[:4] not in shade(text)


@settings(deadline=None)
@given(st.text(), st.text(), st.integers(0, 2))
def test_no_surroundings_show_a_key(before: str, behind: str, shade: int) -> None:
    """Whatever stands before and behind it, a key is not shown."""
    assert KEY[:20] not in SHADES[shade](f"{before}{KEY}{behind}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("POST https://me:hun@ter2@h/2/httpapi?token=hunter2 failed", "POST https://…@h/2/httpapi?… failed"),
        ("Cannot POST /2/httpapi?hunter2", "Cannot POST /2/httpapi?…"),
        ('{"path":"/2/httpapi?a=hunter2&b=1"}', '{"path":"/2/httpapi?…"}'),
        ("Why? Because a@b", "Why? Because a@b"),
    ],
)
def test_urls_are_quoted_without_their_secrets(text: str, expected: str) -> None:
    """Servers and libraries repeat the URL they were asked for: what may be a secret in it is masked."""
    assert without_secrets(text) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://me:hunter2@h.example:1/x?token=hunter2#hunter2", "https://h.example:1/x"),
        ("http://hunter2@h", "http://h"),
        ("http://h?hunter2", "http://h"),
        ("http://h#hunter2", "http://h"),
        ("me:hunter2@h/x", "h/x"),
        ("https://h/a//b@c", "https://h/a//b@c"),
        ("/login?next=hunter2", "/login"),
        ("", ""),
    ],
)
def test_a_public_url_is_an_address(url: str, expected: str) -> None:
    """Of a URL, scheme, host, port and path are shown."""
    assert public_url(url) == expected


SECRET_URL = "https://me:hunter2@127.0.0.1:1/2/httpapi?token=hunter2"


def test_reprs_and_messages_hold_no_secret_of_the_url() -> None:
    """Neither the repr of a request or an answer, nor any message about server_url, holds its secrets."""
    texts = [repr(Request(SECRET_URL, b"hunter2", {"X": "hunter2"}))]
    texts.append(repr(HttpResponse(302, {"location": SECRET_URL}, b"hunter2")))
    answers = [
        (302, {"location": SECRET_URL}, b""),
        (404, {}, f"Cannot POST {SECRET_URL}".encode()),
        (500, {}, json.dumps({"code": 500, "error": f"no {SECRET_URL}"}).encode()),
        (400, {}, json.dumps({"code": 400, "error": SECRET_URL, "missing_field": SECRET_URL}).encode()),
    ]
    for status, headers, body in answers:
        verdict = judge(status, headers, body, 1, lambda _: (None, None))
        texts += [verdict.message, repr(verdict)]
    for bad in (
        "ftp://h/?t=hunter2",
        "http://h:port/?hunter2",
        "h?hunter2",
        "http://h/#hunter2",
        "http://h/ü?hunter2",
    ):
        with pytest.raises(ConfigurationError) as caught:
            read_options({"server_url": bad})
        texts.append(str(caught.value))
    for bad in ("http://me:hunter2@[::1/?hunter2", "http://h:99999999/?hunter2", "hunter2://h?hunter2"):
        with pytest.raises(TransportError) as failed:
            HttpTransport().send(Request(bad, b"{}"))
        texts.append(str(failed.value))
    assert [text for text in texts if "hunter2" in text] == []
