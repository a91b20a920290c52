"""The endpoint against the conformance vectors: those about one request to the two upload APIs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import urllib3

from antinode.testing import Endpoint
from tests import vectors
from tests.server.test_vectors_http import contains

KEY = "0123456789abcdef0123456789abcdef"
PATHS = ("POST /2/httpapi", "POST /batch")
# What needs memory between requests, or rules of a project, is for a test to script.
VECTORS = [
    each
    for each in vectors.load("server")
    if each["endpoint"] in PATHS and not each.get("setup") and not each.get("config")
]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(api_key=KEY) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=120) as pool:
        yield pool


@pytest.mark.parametrize("vector", [pytest.param(each, id=each["name"]) for each in VECTORS])
def test_vector(endpoint: Endpoint, http: urllib3.PoolManager, vector: vectors.Vector) -> None:
    """It answers a request as the reference says, as far as that depends on the request alone."""
    headers = {"Content-Type": "application/json"} | vector.get("headers", {})
    text = vector.get("request_text")
    body = (json.dumps(vector["request_body"]) if text is None else text).encode()
    if vector.get("request_encoding") == "gzip":
        body = gzip.compress(body)
        headers["Content-Encoding"] = "gzip"
    parts = urlsplit(endpoint.url)
    url = f"{parts.scheme}://{parts.netloc}{vector['endpoint'].removeprefix('POST ')}"
    answer = http.request("POST", url, body=body, headers=headers)
    assert answer.status == vector["expected_status"], answer.data[:500]
    assert contains(answer.json(), vector.get("expected_response", {})), answer.data[:500]
