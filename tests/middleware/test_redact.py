"""What `redact` takes out of events, and what it leaves."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import time
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode import Client, ConfigurationError, MiddlewarePayload
from antinode.middleware import PATTERNS, _patterns, allow, drop, hash_ids, redact
from antinode.testing import Endpoint, faults
from tests.lifecycle.driver import KEY
from tests.middleware.conftest import Through, event

HIDDEN = {
    "email": [
        "jörg.müller+news@exämple.co.uk",
        "O'Brien <ob@mail.example.com>",
        "user%40example.com",
        "mailto:ana_lucia@correo.com.br?subject=x",
        "KATE@EXAMPLE.COM.",
        "kate (at) example.com",
        "kate[at]mail.example.org",
        "kate\uff20example.co.jp",
        '"kate mc neil"@example.com',
        "kate&#64;example.com",
    ],
    "card": [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5105-1051-0510-5100",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "30569309025904",
        "3530111333300000",
        "2223003122003222",
        "6759649826438453",
        "a12 4012 8888 8888 1881",
        "4111.1111.1111.1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\u20131111\u20131111\u20131111",
        "2200770212727079",
        "8171999927660000",
        "213110397993445",
        "card4111111111111111exp",
    ],
    "iban": [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00 and more",
        "GB82WEST12345698765432",
        "NO9386011117947 paid",
        "pay DE89 3704 0044 0532 0130 00 NOW ABCD",
        "de89370400440532013000",
        "DE89-3704-0044-0532-0130-00",
        "FR14\u00a02004\u00a01010\u00a00505\u00a00001\u00a03M02\u00a0606",
    ],
    "phone": [
        "+49 30 901820",
        "+1 (415) 555-2671",
        "(415) 555-2671",
        "415-555-2671",
        "020 7946 0958",
        "06 12 34 56 78",
        "0612345678",
        "0044 20 7946 0958",
        "+5511987654321",
        "+49\u00a030\u00a0901820",
        "+44 (0)20 7946 0958",
        "1-800-555-0199",
        "826-801-8159x08301",
        "+1-437-586-5797 ext. 543",
        "(02)-2154-7280",
        "(351) 911860913",
        "03572/80385280",
        "8 (529) 170-34-23",
    ],
    "token": [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "Authorization: Bearer 7f3a9c21d8e0",
        "basic dXNlcjpwYXNzd29yZA==",
        "sk_" + "live_" + "4eC39HqLyjWDarjt",
        "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "https://deploy:hunter22@git.example.com/x",
        "/reset?user=7&token=abc123",
        "//deploy:hunter22@db/x",
        "password=hunter2",
        "Password: hunter2",
        '{"password": "hunter two"}',
        "aws_secret_access_key=wJalrXUtnFEMIK7MDENG",
        "X-Api-Key: 0123456789abcdef",
        "Cookie: sid=38afes7a8; theme=dark",
        "SG." + "abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz",
        "ya29." + "a0AfH6SMBxabcdefghij",
        "GOCSPX-" + "abcdefghijklmnopqrst",
        "shpat_" + "0123456789abcdef0123456789abcdef",
        "hf_" + "abcdefghijklmnopqrstuvwxyz",
        "dop_v1_" + "0123456789abcdef" * 4,
        "SK" + "0123456789abcdef0123456789abcdef",
        "123456789:" + "AAabcdefghijklmnopqrstuvwxyz_-12345",
        "AccountKey=" + "abcdefgh" * 10 + "==",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    ],
    "ip": ["203.0.113.9", "2001:db8::1", "::1"],
}
LEFT = [
    "28.11.2026 12:30",
    "01/02/2026 12",
    "2026-11-28 19:27:52",
    "1764358072000",
    "version 1.2.3.4",
    "Basic membership",
    "4111111111111112",
    "a@b",
    "SKU 1234-5678",
    "DE89370400440532013001",
    "50 % off",
    "19:27:52",
    "/search?q=tokens",
    "GB82WEST12345698765431",
    "XX12 this blue text here",
    "1 234 567 views",
    "$1,234,567.89",
    "ISBN 978-3-16-148410-0",
    "550e8400-e29b-41d4-a716-446655440000",
    "52.520008, 13.404954",
    "2026-11-28T19:27:52+01:00",
    "max_tokens: 4096",
    "token_count=7",
    "Forgot your password: click here",
    "key=value",
    "10:30 (CET) 2026",
    "order 2026-000123",
    "look at (me) now",
]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in HIDDEN.items() for text in texts])
def test_personal_data_and_secrets_are_taken_out_of_texts(through: Through, name: str, text: str) -> None:
    """Nothing that tells them is left of what the pattern names."""
    (arrived,) = through(redact(patterns=name), event(event_properties={"note": text}))
    assert "[redacted]" in arrived["event_properties"]["note"]
    assert not re.search(
        "hunter|wJalr|38afes|0123456789abcdef|kate", arrived["event_properties"]["note"], re.IGNORECASE
    )
    telling = max(re.findall(r"[^\W_]{4,}", text) or [text], key=len)
    if name not in ("email", "token"):
        assert telling not in arrived["event_properties"]["note"]


@pytest.mark.parametrize("text", LEFT)
def test_other_texts_stay(through: Through, text: str) -> None:
    """Dates, versions, prices and numbers without a right check digit are no personal data."""
    (arrived,) = through(redact(), event(event_properties={"note": text}))
    assert arrived["event_properties"]["note"] == text


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "newPassword",
        "user_password",
        "X-Api-Key",
        "APIKey",
        "apikey",
        "Set-Cookie",
        "dateOfBirth",
        "DOB",
        "birthday",
        "password_2",
        "newPassword1",
        "passwordConfirmation",
        "secretAccessKey",
        "SSH-Key",
        "csrf",
        "JWT",
        "cvv2",
        "bankAccount",
        "driversLicense",
        "first_name",
        "customer.lastName",
        "billingPhoneNumber",
        "homeAddress",
    ],
)
def test_a_key_stands_for_all_names_that_end_with_its_words(through: Through, key: str) -> None:
    """However the words are joined; what merely holds one, as a count of tokens, stays."""
    others = {"token_count": 7, "password_changed": True, "mistoken": "x", "product_name": "x", "step2": "x"}
    held = {key: {"deep": 1}, **others}
    (arrived,) = through(redact(), event(event_properties=held, user_properties={"$set": dict(held)}))
    for properties in (arrived["event_properties"], arrived["user_properties"]["$set"]):
        assert properties == {**held, key: "[redacted]"}


@dataclasses.dataclass
class Address:
    email: str
    password: str


class Customer(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    address: Any
    unsendable: Any = object


def test_it_looks_wherever_a_text_can_be(through: Through) -> None:
    """Lists, tuples, models, keys, whole numbers, bytes, groups and operations."""
    address = Address("ana@example.com", "hunter22")
    (arrived,) = through(
        redact(),
        event(
            event_properties={
                "list": ["ana@example.com", ("ana@example.com",)],
                "model": Customer(address=address),
                "bytes": b"ana@example.com",
                "set": {"ana@example.com"},
                "ana@example.com": 1,
                "number": 4111111111111111,
            },
            user_properties={"$set": {"mail": "ana@example.com"}},
            groups={"company": ["ana@example.com"]},
        ),
    )
    text = json.dumps(arrived)
    for secret in ("ana@", "hunter22", "4111111111111111"):
        assert secret not in text
    assert arrived["event_properties"]["model"] == {
        "address": {"email": "[redacted]", "password": "[redacted]"}
    }


def test_fields_of_events_are_removed_and_ids_refused(through: Through) -> None:
    """A text in place of an `ip` would be no address; ids that are all alike would make many users one."""
    (arrived,) = through(redact(keys=["ip", "city"]), event(ip="203.0.113.9", city="Oslo", country="NO"))
    assert "ip" not in arrived
    assert "city" not in arrived
    assert arrived["country"] == "NO"
    with pytest.raises(ConfigurationError, match="hash_ids"):
        redact(keys=["user_id"])


PROMISES = {
    "redact": redact(),
    "redact-keys": redact(patterns=(), keys=["mail"]),
    "hash_ids": hash_ids(b"0123456789abcdef", fields=("user_id",), properties=["mail", "list"]),
    "allow": allow({"Order Placed": ["total"]}, user_properties=[]),
    "drop": drop("Secret *"),
    "drop-where": drop(where=lambda each: each["event_type"].startswith("Secret")),
}
"""Each leaves nothing of the address below, in whatever it lets through."""


@pytest.mark.parametrize("name", PROMISES)
def test_what_is_taken_out_is_nowhere(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Spool, dead letters, requests and logs (those for debugging too) hold what was let through."""
    secret = "ana@example.com"
    # A dropped event holds it anywhere; the others where the middleware is told to look.
    of_user = secret if name in ("hash_ids", "drop", "drop-where") else "user-20391"
    whole = event(
        "Secret Thing" if name.startswith("drop") else "Order Placed",
        user_id=of_user,
        event_properties={"mail": secret, "total": 7},
        user_properties={"$set": {"mail": secret}},
    )
    with Endpoint() as endpoint:
        endpoint.answer = faults.Answer(
            400, {"code": 400, "error": "odd", "events_with_invalid_fields": {"time": [0]}}
        )
        with caplog.at_level(logging.DEBUG):
            client = Client("promising").init(
                KEY,
                server_url=endpoint.url,
                storage=str(tmp_path / "spool"),
                dead_letters=str(tmp_path / "dead.jsonl"),
                debug=True,
            )
            client.add_event_middleware(PROMISES[name])
            client.log_event(whole)  # type: ignore[call-overload]
            # Refused by the encoder, behind the middleware, and kept as a dead letter.
            client.log_event({**whole, "time": "yesterday"})  # type: ignore[call-overload]
            client.log_event(event("Order Placed", user_id="a", event_properties={"total": 1}))  # type: ignore[call-overload]
            client.shutdown(5)
        requests = json.dumps(list(endpoint.events))
    assert (tmp_path / "dead.jsonl").stat().st_size > 0
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert not any(secret.encode() in each.read_bytes() for each in files)
    assert secret not in requests
    assert secret not in caplog.text


def test_cycles_and_shared_values_are_no_trouble(through: Through) -> None:
    """What holds itself is left out by the encoder, what is shared by many is looked at once."""
    shared: Any = ["ana@example.com"]
    for _ in range(30):
        shared = [shared, shared]
    round_about: dict[str, Any] = {"mail": "ana@example.com"}
    round_about["again"] = round_about
    (arrived,) = through(redact(), event(event_properties={"cycle": round_about, "one": 1}))
    assert "ana@" not in json.dumps(arrived)
    seen: list[Any] = []
    redact()(MiddlewarePayload(event(event_properties={"shared": shared})), seen.append)
    assert seen


@pytest.mark.parametrize("wrong", ["e-mail", b"x", 7, re.compile(b"x")])
def test_an_unknown_pattern_is_told(wrong: Any) -> None:
    """With the names there are."""
    with pytest.raises(ConfigurationError):
        redact(patterns=[wrong])


HOSTILE = [
    "12 ",
    "a",
    "a@",
    "@",
    "+1",
    "0",
    "1.",
    "::",
    "-----BEGIN PRIVATE KEY-----",
    "eyJ",
    "DE89 ",
    "(at)",
    "(12)",
    "password:",
    "secret= ",
    "cookie: ",
    '"a ',
    "?token=",
    "://a:",
]


@pytest.mark.parametrize("name", PATTERNS)
def test_a_long_text_takes_time_in_proportion(name: str) -> None:
    """Ten times the text takes about ten times the work, whatever is in it, and not a hundred times."""
    middleware = redact(patterns=name)

    def seconds(text: str) -> float:
        took = []
        for _ in range(3):
            started = time.process_time()
            middleware(MiddlewarePayload(event(event_properties={"x": text})), lambda _: None)
            took.append(time.process_time() - started)
        return min(took)

    for part in HOSTILE:
        long, short = part * 10_000, part * 1_000
        assert seconds(long) < 40 * seconds(short) + 0.05, part


@given(st.text(max_size=200))
def test_any_text_is_taken(text: str) -> None:
    """No text breaks it, and a second time changes nothing more."""
    seen: list[dict[str, Any]] = []
    for _ in range(2):
        given_event = seen[-1] if seen else event(event_properties={"x": text, text: "x"})
        redact()(MiddlewarePayload(given_event), lambda payload: seen.append(payload.event))
    assert seen[0] == seen[1]


def bare(pattern: _patterns.Pattern) -> _patterns.Pattern:
    """The same without its shortcuts."""
    return dataclasses.replace(pattern, needs=None, least=0)


PIECES = st.sampled_from(
    [text for texts in HIDDEN.values() for text in texts]
    + [
        "pwd=x",
        "?key=x",
        "//a:b@",
        "basic a1234567",
        "ba\u017f\u0131c a1234567",
        "a@b.c",
        "x",
        "7",
        " ",
        "::1",
        "-----",
    ]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=6), st.integers().map(str)), max_size=3), st.data())
def test_shortcuts_change_nothing(pieces: list[str], data: st.DataObject) -> None:
    """What a text must hold, and how long it must be, only saves a search that finds nothing."""
    whole = "".join(pieces)
    start = data.draw(st.integers(0, len(whole)))
    text = whole[start : data.draw(st.integers(start, len(whole)))]
    for name, pattern in _patterns.PATTERNS.items():
        assert pattern.hide(text, "*") == bare(pattern).hide(text, "*"), name
    # The shortcut within that of tokens.
    assert _patterns._may_have_scheme(text) or _patterns._SCHEMES.search(text) is None
    found = _patterns._SCHEMES.search(text)
    assert found is None or len(found[0]) >= _patterns._SHORTEST_SCHEME
