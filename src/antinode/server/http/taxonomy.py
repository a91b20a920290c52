"""The operations of Amplitude's Taxonomy API: the tracking plan of a project."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from antinode.server.engine import Amplitude
from antinode.server.http.basic_auth import CHALLENGE, credentials_of
from antinode.server.http.engine_thread import Worker
from antinode.server.http.operations import Operation
from antinode.server.http.privacy import ANALYTICS_HOSTS
from antinode.server.taxonomy import (
    PROPERTY_NAMES,
    EventCategory,
    PropertyKind,
    PropertyNames,
    Taxonomy,
    TaxonomyConflict,
    TaxonomyEventType,
    TaxonomyProperty,
)

_READING, _CHANGING = 1, 2
_UNAUTHORIZED: Final = "the credentials are not those of a project: write api_key:secret_key"
_SPENT: Final = "the project has asked for more than 7,200 an hour: a request costs 1, one that changes 2"

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
_T = TypeVar("_T")


class TaxonomyDone(msgspec.Struct, frozen=True, kw_only=True):
    """It is done."""

    success: bool = True


class TaxonomyProblem(msgspec.Struct, frozen=True, kw_only=True):
    message: str


class TaxonomyRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """It is not done, and why."""

    success: bool = False
    errors: list[TaxonomyProblem]


class CategoryForm(msgspec.Struct, frozen=True, kw_only=True):
    category_name: _Name


class EventTypeChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is not given stays as it is; an empty text takes away."""

    category: str | None = None
    """The name of one that there is."""
    description: str | None = None
    display_name: str | None = None
    is_active: bool | None = None
    tags: str | None = None
    """With commas between them."""
    owner: str | None = None

    def given(self) -> dict[str, Any]:
        found = _given(EventTypeChanges, self)
        if self.tags is not None:
            found["tags"] = _listed(self.tags)
        return found


class NewEventType(EventTypeChanges, frozen=True, kw_only=True):
    event_type: _Name


class ChangedEventType(EventTypeChanges, frozen=True, kw_only=True):
    new_event_type: _Name | None = None


class PropertyHolder(msgspec.Struct, frozen=True, kw_only=True):
    """Of what it is a property; of users without either."""

    event_type: str = ""
    """For an event property."""
    group_type: str = ""
    """For a group property."""


class PropertyChanges(PropertyHolder, frozen=True, kw_only=True):
    """What is not given stays as it is; an empty text takes away."""

    description: str | None = None
    type: Literal["string", "number", "boolean", "enum", "any"] | None = None
    regex: str | None = None
    enum_values: str | None = None
    """With commas between them."""
    is_array_type: bool | None = None
    is_required: bool | None = None
    is_hidden: bool | None = None
    classifications: str | None = None
    """With commas between them."""

    def given(self) -> dict[str, Any]:
        found = _given(TaxonomyProperty, self)
        if self.classifications is not None:
            found["classifications"] = _listed(self.classifications)
        return found


class NewProperty(PropertyChanges, frozen=True, kw_only=True):
    event_property: str | None = None
    user_property: str | None = None
    group_property: str | None = None


class ChangedProperty(PropertyChanges, frozen=True, kw_only=True):
    new_event_property_value: str | None = None
    new_user_property_value: str | None = None
    new_group_property_value: str | None = None


class DeletedTypes(msgspec.Struct, frozen=True, kw_only=True):
    showDeleted: bool = False
    """Accepted; here, what is deleted is gone."""


class CategoryAnswer(TaxonomyDone, frozen=True, kw_only=True):
    data: EventCategory


class CategoryList(TaxonomyDone, frozen=True, kw_only=True):
    data: list[EventCategory]


class EventTypeAnswer(TaxonomyDone, frozen=True, kw_only=True):
    data: TaxonomyEventType


class EventTypeList(TaxonomyDone, frozen=True, kw_only=True):
    data: list[TaxonomyEventType]


class PropertyAnswer(TaxonomyDone, frozen=True, kw_only=True):
    data: dict[str, Any]
    """Its name, what it is one of, and what is planned of it."""


class PropertyList(TaxonomyDone, frozen=True, kw_only=True):
    data: list[dict[str, Any]]


class TaxonomyApi:
    """The operations, on the engine of `worker`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def categories(self, request: Request) -> CategoryList | Response:
        return await self._ask(request, _READING, lambda plans, of: CategoryList(data=plans.categories(of)))

    async def category(self, name: str, request: Request) -> CategoryAnswer | Response:
        def find(plans: Taxonomy, of: int) -> CategoryAnswer | None:
            found = next((each for each in plans.categories(of) if each.name == name), None)
            return None if found is None else CategoryAnswer(data=found)

        return await self._ask(request, _READING, find)

    async def add_category(self, form: CategoryForm, request: Request) -> TaxonomyDone | Response:
        return await self._do(request, lambda plans, of: plans.add_category(of, form.category_name))

    async def change_category(
        self, name: str, form: CategoryForm, request: Request
    ) -> TaxonomyDone | Response:
        return await self._do(request, lambda plans, of: plans.change_category(of, name, form.category_name))

    async def delete_category(self, name: str, request: Request) -> TaxonomyDone | Response:
        return await self._do(request, lambda plans, of: plans.change_category(of, name, None))

    async def event_types(self, form: DeletedTypes, request: Request) -> EventTypeList | Response:  # noqa: ARG002
        return await self._ask(request, _READING, lambda plans, of: EventTypeList(data=plans.event_types(of)))

    async def event_type(self, name: str, request: Request) -> EventTypeAnswer | Response:
        def find(plans: Taxonomy, of: int) -> EventTypeAnswer | None:
            found = plans.event_type(of, name)
            return None if found is None else EventTypeAnswer(data=found)

        return await self._ask(request, _READING, find)

    async def add_event_type(self, form: NewEventType, request: Request) -> TaxonomyDone | Response:
        return await self._do(
            request, lambda plans, of: plans.add_event_type(of, form.event_type, form.given())
        )

    async def change_event_type(
        self, name: str, form: ChangedEventType, request: Request
    ) -> TaxonomyDone | Response:
        return await self._do(
            request,
            lambda plans, of: plans.change_event_type(of, name, form.given(), form.new_event_type),
        )

    async def delete_event_type(self, name: str, request: Request) -> TaxonomyDone | Response:
        return await self._do(request, lambda plans, of: plans.delete_event_type(of, name))

    async def properties(
        self, kind: PropertyKind, form: PropertyHolder, request: Request
    ) -> PropertyList | Response:
        holder = _holder(kind, form)

        def find(plans: Taxonomy, of: int) -> PropertyList:
            found = plans.properties(of, kind, holder)
            return PropertyList(data=[_named(kind, holder, name, each) for name, each in found])

        return await self._ask(request, _READING, find)

    async def property(
        self, kind: PropertyKind, name: str, form: PropertyHolder, request: Request
    ) -> PropertyAnswer | Response:
        holder = _holder(kind, form)

        def find(plans: Taxonomy, of: int) -> PropertyAnswer | None:
            found = dict(plans.properties(of, kind, holder)).get(_own_name(kind, name))
            return (
                None
                if found is None
                else PropertyAnswer(data=_named(kind, holder, _own_name(kind, name), found))
            )

        return await self._ask(request, _READING, find)

    async def add_property(
        self, kind: PropertyKind, form: NewProperty, request: Request
    ) -> TaxonomyDone | Response:
        wanted = PROPERTY_NAMES[kind].name
        name = getattr(form, wanted)
        if not name:
            return _refusal(400, f"The parameter {wanted} is missing.")
        return await self._do(
            request,
            lambda plans, of: plans.add_property(
                of, kind, _holder(kind, form), _own_name(kind, name), form.given()
            ),
        )

    async def change_property(
        self, kind: PropertyKind, name: str, form: ChangedProperty, request: Request
    ) -> TaxonomyDone | Response:
        new_name = getattr(form, f"new_{PROPERTY_NAMES[kind].name}_value")
        return await self._do(
            request,
            lambda plans, of: plans.change_property(
                of,
                kind,
                _holder(kind, form),
                _own_name(kind, name),
                form.given(),
                _own_name(kind, new_name) if new_name else None,
            ),
        )

    async def delete_property(
        self, kind: PropertyKind, name: str, form: PropertyHolder, request: Request
    ) -> TaxonomyDone | Response:
        return await self._do(
            request,
            lambda plans, of: plans.delete_property(of, kind, _holder(kind, form), _own_name(kind, name)),
        )

    async def _do(self, request: Request, change: Callable[[Taxonomy, int], None]) -> TaxonomyDone | Response:
        def done(plans: Taxonomy, of: int) -> TaxonomyDone:
            change(plans, of)
            return TaxonomyDone()

        return await self._ask(request, _CHANGING, done)

    async def _ask(
        self, request: Request, cost: int, question: Callable[[Taxonomy, int], _T | None]
    ) -> _T | Response:
        key, secret = credentials_of(request.headers.get("authorization", ""))

        def ask(engine: Amplitude) -> _T | Response:
            project_id = engine.project_of(key, secret)
            if project_id is None:
                return _refusal(401, _UNAUTHORIZED)
            try:
                found = engine.plan_taxonomy(
                    project_id, cost, lambda plans: question(plans, project_id) or _refusal(400, "Not found")
                )
            except TaxonomyConflict as conflict:
                return _refusal(409, str(conflict))
            return found if found is not None else _refusal(429, _SPENT)

        return await self._worker.ask(ask)

    def operations(self) -> tuple[Operation, ...]:
        """The table of them."""
        return (
            self._operation("GET", "category", "listCategories", self.categories, CategoryList),
            self._operation("POST", "category", "addCategory", self.add_category, form=CategoryForm),
            self._operation("GET", "category/{name}", "getCategory", self.category, CategoryAnswer),
            self._operation(
                "PUT", "category/{name}", "changeCategory", self.change_category, form=CategoryForm
            ),
            self._operation("DELETE", "category/{name}", "deleteCategory", self.delete_category),
            self._operation(
                "GET", "event", "listEventTypes", self.event_types, EventTypeList, form=DeletedTypes
            ),
            self._operation("POST", "event", "addEventType", self.add_event_type, form=NewEventType),
            self._operation("GET", "event/{name}", "getEventType", self.event_type, EventTypeAnswer),
            self._operation(
                "PUT", "event/{name}", "changeEventType", self.change_event_type, form=ChangedEventType
            ),
            self._operation("DELETE", "event/{name}", "deleteEventType", self.delete_event_type),
            *(
                operation
                for kind, names in PROPERTY_NAMES.items()
                for operation in self._of_properties(kind, names)
            ),
        )

    def _of_properties(self, kind: PropertyKind, names: PropertyNames) -> tuple[Operation, ...]:
        path, named = names.name.replace("_", "-"), f"{kind.capitalize()}Property"
        one = f"{path}/{{name}}"

        def of(call: Callable[..., Any]) -> Callable[..., Any]:
            return partial(call, kind)

        return (
            self._operation(
                "GET", path, f"list{kind.capitalize()}Properties", of(self.properties), PropertyList,
                form=PropertyHolder,
            ),
            self._operation("POST", path, f"add{named}", of(self.add_property), form=NewProperty),
            self._operation(
                "GET", one, f"get{named}", of(self.property), PropertyAnswer, form=PropertyHolder
            ),
            self._operation("PUT", one, f"change{named}", of(self.change_property), form=ChangedProperty),
            self._operation("DELETE", one, f"delete{named}", of(self.delete_property), form=PropertyHolder),
        )  # fmt: skip

    @staticmethod
    def _operation(
        method: str,
        path: str,
        name: str,
        call: Callable[..., Any],
        answer: type = TaxonomyDone,
        form: type[msgspec.Struct] | None = None,
    ) -> Operation:
        verb = {"GET": "tells of", "POST": "plans", "PUT": "changes", "DELETE": "deletes"}[method]
        what = path.partition("/")[0].replace("-", " ")
        return Operation(
            method=method,
            path=f"/api/2/taxonomy/{path}",
            name=name,
            summary=f"The Taxonomy API: {verb} {'what is planned of ' if method == 'GET' else ''}{what}.",
            form=form,
            refusal=_refused,
            answer=answer,
            call=call,
            is_authorized=True,
            hosts=ANALYTICS_HOSTS,
            wants_request=True,
            statuses={
                400: ("There is none of this name, or a parameter is missing.", TaxonomyRefusal),
                401: ("The key or its secret is wrong.", TaxonomyRefusal),
                409: ("It does not go with what is planned.", TaxonomyRefusal),
                429: ("The project has asked too much for now.", TaxonomyRefusal),
            },
        )


def _refused(message: str) -> TaxonomyRefusal:
    return TaxonomyRefusal(errors=[TaxonomyProblem(message=message)])


def _refusal(status: int, message: str) -> Response:
    body = msgspec.json.encode(_refused(message))
    headers = CHALLENGE if status == 401 else {}
    return Response(body, status, headers=headers, media_type="application/json")


def _given(kind: type[msgspec.Struct], form: msgspec.Struct) -> dict[str, Any]:
    held = {field.name: getattr(form, field.name) for field in msgspec.structs.fields(kind)}
    return {key: None if value == "" else value for key, value in held.items() if value is not None}


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _holder(kind: PropertyKind, form: PropertyHolder) -> str:
    names = PROPERTY_NAMES[kind]
    return getattr(form, names.holder) if names.holder else ""


def _own_name(kind: PropertyKind, name: str) -> str:
    return name.removeprefix(PROPERTY_NAMES[kind].prefix)


def _named(kind: PropertyKind, holder: str, name: str, held: TaxonomyProperty) -> dict[str, Any]:
    names = PROPERTY_NAMES[kind]
    facts = msgspec.structs.asdict(held)
    if kind != "event":
        del facts["is_required"]
    return {names.name: f"{names.prefix}{name}", **({names.holder: holder} if names.holder else {}), **facts}
