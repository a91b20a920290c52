"""The conformance vectors of the API reference, read from vectors.json beside this file.

`load(kind)` gives the vectors of one kind with their generators expanded; `answer_body` gives the bytes of a
client vector's answer. What the keys of a vector mean is told in section 22 of the reference.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, Literal, TypeAlias

Vector: TypeAlias = dict[str, Any]

_FILE = Path(__file__).with_name("vectors.json")


@functools.cache
def load(kind: Literal["client", "server"]) -> list[Vector]:
    """All vectors of `kind`, in the order of the file, expanded. Callers share them and change nothing."""
    return [expand(vector) for vector in json.loads(_FILE.read_text("utf-8")) if vector["kind"] == kind]


def expand(value: Any) -> Any:
    """`value` with `@repeat`, `@string` and `@nest` replaced by what they stand for, at any depth."""
    if isinstance(value, list):
        return [expand(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"@repeat"}:
        one = expand(value["@repeat"]["of"])
        return [_numbered(one, i) for i in range(value["@repeat"]["count"])]
    if value.keys() == {"@string"}:
        return value["@string"]["char"] * value["@string"]["length"]
    if value.keys() == {"@nest"}:
        nest = expand(value["@nest"]["leaf"])
        for _ in range(value["@nest"]["depth"]):
            nest = {"k": nest}
        return nest
    return {key: expand(each) for key, each in value.items()}


def _numbered(value: Any, i: int) -> Any:
    if isinstance(value, str):
        return value.replace("{{i}}", str(i))
    if isinstance(value, list):
        return [_numbered(each, i) for each in value]
    if isinstance(value, dict):
        return {key: _numbered(each, i) for key, each in value.items()}
    return value


def answer_body(given_response: dict[str, Any]) -> bytes:
    """The body of a client vector's `given_response` as the server would send it."""
    body = given_response.get("body")
    if body is None:
        return b""
    return (body if isinstance(body, str) else json.dumps(body)).encode()
