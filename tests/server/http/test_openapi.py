"""The description of the server's own API: complete, and true."""

import re

import pytest

OPENAPI = "/api/openapi.json"


@pytest.fixture
def described(server, http):
    return http.request("GET", server.url + OPENAPI).json()


def operations(described):
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_it_lists_every_operation(described):
    """All that a test, a script or the page can ask is there."""
    assert {f"{method.upper()} {path}" for path, method, _ in operations(described)} == {
        "GET /api/events",
        "GET /api/events/{insert_id}",
        "GET /api/uploads",
        "GET /api/uploads/{id}",
        "GET /api/users",
        "GET /api/users/{id}",
        "GET /api/groups",
        "GET /api/groups/{type}/{name}",
        "GET /api/schema",
        "GET /api/schema/tracking-plan.yaml",
        "GET /api/schema/tracking-plan.json",
        "GET /api/stats",
        "GET /api/wait",
        "GET /api/rules",
        "PUT /api/rules",
        "GET /api/clock",
        "PUT /api/clock",
        "GET /api/faults",
        "POST /api/faults",
        "DELETE /api/faults",
        "DELETE /api/faults/{id}",
        "POST /api/reset",
        "GET /api/live",
        "GET /api/2/export",
        "POST /api/2/deletions/users",
        "GET /api/2/deletions/users",
        "GET /api/2/usersearch",
        *(
            f"{method} /api/2/taxonomy/{kind}{one}"
            for kind in ("category", "event", "event-property", "user-property", "group-property")
            for method, one in (
                ("GET", ""),
                ("POST", ""),
                *((each, "/{name}") for each in ("GET", "PUT", "DELETE")),
            )
        ),
        "GET /api/openapi.json",
    }


def test_it_is_openapi_3_1(described):
    """It says which version it follows, and names its operations once each."""
    assert described["openapi"] == "3.1.0"
    names = [operation["operationId"] for _, _, operation in operations(described)]
    assert len(names) == len(set(names))


def test_references_lead_somewhere(described):
    """Every reference has its schema, and every schema is referred to."""
    found = set(re.findall(r"'#/components/schemas/(\w+)'", str(described)))
    assert found == set(described["components"]["schemas"])


def test_parameters_are_described(described):
    """Path parameters are those of the path; query parameters are no objects and never null."""
    for path, _, operation in operations(described):
        in_path = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))
        for parameter in operation["parameters"]:
            assert "null" not in str(parameter["schema"])


def test_fields_are_told_in_words(described):
    """The sentence below a field in the code is the field's description."""
    schemas = described["components"]["schemas"]
    assert schemas["EventView"]["properties"]["event"]["description"] == "The event as sent, as JSON."
    assert schemas["Rules"]["properties"]["rate_window_s"]["exclusiveMinimum"] == 0
    assert "Seconds" in schemas["Rules"]["properties"]["rate_window_s"]["description"]


def test_failures_have_one_shape(described):
    """Whatever is refused is answered with an error in words, but for a wait that was in vain.

    The Taxonomy API refuses as Amplitude's does.
    """
    for path, _, operation in operations(described):
        for status, response in operation["responses"].items():
            if status != "200" and (path, status) != ("/api/wait", "408"):
                schema = response["content"]["application/json"]["schema"]
                is_taxonomy = path.startswith("/api/2/taxonomy/") and status in ("400", "401", "409", "429")
                name = "TaxonomyRefusal" if is_taxonomy else "Failure"
                assert schema == {"$ref": f"#/components/schemas/{name}"}
