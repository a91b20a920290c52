"""The OpenAPI description of the server's own API, made from its table of operations."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from antinode._version import __version__
from antinode.server.http.operations import Failure, Operation

_REFERENCE: Final = "#/components/schemas/{name}"

_TYPE: Final = re.compile(r":int(?=})")
_NUMBER: Final = {"type": "integer", "minimum": 0, "maximum": 999_999_999_999_999}
_TEXT: Final = {"type": "string", "minLength": 1}

_EVERYWHERE: Final = {
    400: "A parameter or the body cannot be read.",
    421: "Asked under a name that may be a stranger's.",
}
_CHANGING: Final = {403: "Asked by a web page from elsewhere."}
_WITH_BODY: Final = {
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    422: "The body is JSON, but not of this shape.",
}
_WITH_FORM: Final = {status: cause for status, cause in _WITH_BODY.items() if status != 422}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The description, as an OpenAPI 3.1 document."""
    kinds: list[Any] = [Failure]
    for operation in operations:
        others = [each[1] for each in operation.statuses.values() if isinstance(each, tuple)]
        given = (operation.answer, operation.query, operation.form, operation.body, *others)
        kinds += [kind for kind in given if kind is not None]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    _describe(components)
    by_kind = {id(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _operation(operation, by_kind, components)
        paths.setdefault(_TYPE.sub("", operation.path), {})[operation.method.lower()] = described
    changing = [each for each in operations if each.changes]
    for operation in operations:
        parameters = [operation.query, operation.form if operation.method == "GET" else None]
        for kind in parameters:
            if kind is not None and not any(each.form is kind for each in changing):
                components.pop(kind.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The local Amplitude's own API",
            "version": __version__,
            "description": "What the server holds, and how it behaves. Times are milliseconds since 1970.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "basic"}},
        },
    }


def _operation(
    operation: Operation, by_kind: Mapping[int, Any], components: Mapping[str, Any]
) -> dict[str, Any]:
    causes: dict[int, str | tuple[str, type]] = dict(_EVERYWHERE)
    if operation.changes:
        causes |= _CHANGING
    if operation.body is not None:
        causes |= _WITH_BODY
    if operation.form is not None:
        causes |= _WITH_FORM
    causes |= operation.statuses
    content: dict[str, Any] = {}
    if operation.answer is not None:
        content = {"schema": by_kind[id(operation.answer)]}
    responses: dict[str, Any] = {"200": _response("As asked.", operation.media_type, content)}
    for status, cause in sorted(causes.items()):
        words, kind = cause if isinstance(cause, tuple) else (cause, Failure)
        responses[str(status)] = _response(words, "application/json", {"schema": by_kind[id(kind)]})
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [
            *_in_path(operation.path),
            *_in_query(operation.query, components),
            *_in_query(None if operation.changes else operation.form, components),
        ],
        "responses": responses,
    }
    if operation.is_authorized:
        described["security"] = [{"key": []}]
    if operation.form is not None and operation.changes:
        described["requestBody"] = {
            "content": {"application/x-www-form-urlencoded": {"schema": by_kind[id(operation.form)]}}
        }
    if operation.body is not None:
        described["requestBody"] = {
            "required": not operation.is_body_optional,
            "content": {"application/json": {"schema": by_kind[id(operation.body)]}},
        }
    return described


def _response(words: str, media_type: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {media_type: content}}


def _in_path(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _NUMBER if kind else _TEXT}
        for name, kind in re.findall(r"{(\w+)(:int)?}", path)
    ]


def _in_query(kind: type[msgspec.Struct] | None, components: Mapping[str, Any]) -> list[dict[str, Any]]:
    if kind is None:
        return []
    component = components[kind.__name__]
    required = component.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": schema.get("description", ""),
            "schema": _without_null(schema),
        }
        for name, schema in component["properties"].items()
    ]


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a parameter, without null: a parameter is left out instead."""
    plain = {key: value for key, value in schema.items() if key not in ("default", "description")}
    if "default" in schema and schema["default"] is not None:
        plain["default"] = schema["default"]
    if "anyOf" in plain:
        rest = [each for each in plain.pop("anyOf") if each != {"type": "null"}]
        plain |= rest[0] if len(rest) == 1 else {"anyOf": rest}
    if "enum" in plain:
        plain["enum"] = [each for each in plain["enum"] if each is not None]
    return plain


def _describe(components: Mapping[str, Any]) -> None:
    """Give each property the sentence that stands below it in its class."""
    for kind in _structs(msgspec.Struct):
        properties = components.get(kind.__name__, {}).get("properties", {})
        for base in reversed(kind.__mro__):
            for name, words in _sentences(base).items():
                if name in properties:
                    properties[name] = {**properties[name], "description": words}


def _structs(base: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for kind in base.__subclasses__():
        if kind.__module__.startswith("antinode.server."):
            yield kind
            yield from _structs(kind)


def _sentences(kind: type) -> Mapping[str, str]:
    return _sentences_in(kind.__module__).get(kind.__name__, {})


@functools.cache
def _sentences_in(module: str) -> Mapping[str, Mapping[str, str]]:
    """Class -> field -> the string below it; none where the source is not at hand."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, SyntaxError):
        return {}
    return {kind.name: _fields(kind) for kind in tree.body if isinstance(kind, ast.ClassDef)}


def _fields(kind: ast.ClassDef) -> Mapping[str, str]:
    return {
        field.target.id: " ".join(below.value.value.split())
        for field, below in itertools.pairwise(kind.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
