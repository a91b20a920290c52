"""What the server tells of what it holds: the values of its JSON API. Times are milliseconds since 1970."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from antinode.plan._marks import EventMark, PropertyMark
from antinode.server.numbers import Limit, Natural

EventOutcome: TypeAlias = Literal["accepted", "duplicate", "rejected", "returned"]
"""`accepted`: stored. `duplicate`: its insert_id was stored before. `rejected`: an answer named it as
refused. `returned`: nothing is wrong with it, but its request as a whole was refused, so that its sender has
to send it again."""

Severity: TypeAlias = Literal["error", "warning"]


class Problem(msgspec.Struct, frozen=True, omit_defaults=False):
    """What is wrong with one event, in words."""

    code: str
    """What it is counted under, such as `invalid_time`, `missing_event_type` or `no_insert_id`."""
    severity: Severity
    """An `error` is why the event was refused; a `warning` is something to mend all the same."""
    field: str
    """The event's key, or `event`."""
    message: str
    """What is wrong, with which value, and what to write instead."""


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a request's `events`, as it came."""

    seq: int
    """Counts everything that came, from 1, in the order in which it came."""
    outcome: EventOutcome
    received_at: int
    upload_id: int
    position: int
    """Index in its request."""
    project_id: int | None
    event_type: str | None
    user_id: str | None
    device_id: str | None
    insert_id: str | None
    time: int | None
    library: str | None
    problems: list[Problem]
    event: msgspec.Raw
    """The event as sent, as JSON."""


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events, newest first."""

    events: list[EventView]
    next_before: int | None
    """Ask again with `before` set to this for older ones; None when there are none."""


class UploadView(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and what became of it."""

    id: int
    received_at: int
    method: str
    path: str
    project_id: int | None
    status: int
    """What was answered; 0 if a fault closed the connection instead."""
    error: str | None
    """The answer's error in one line, without the API key; None for a success."""
    fault: str | None
    """The fault that was at work, as the command line spells it."""
    wire_size: int
    """Bytes of the body on the wire."""
    body_size: int
    """Bytes of the body after decompression."""
    encoding: str
    """The request's Content-Encoding, or an empty string."""
    events: int
    accepted: int
    duplicates: int
    rejected: int
    returned: int
    library: str | None
    """Of its first event."""
    user_agent: str
    duration_us: int
    """From the request's headers until the answer was ready, in microseconds."""
    answer: str | None
    """The body that was answered, without the API key; None for a success."""
    body_start: str | None
    """The first 4,096 characters of a body that could not be read as events, without the API key."""


class UploadPage(msgspec.Struct, frozen=True, kw_only=True):
    """Uploads, newest first."""

    uploads: list[UploadView]
    next_before: int | None


class UploadDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One upload with its events."""

    upload: UploadView
    events: list[EventView]
    """The first 200 of them, by position."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One time that an event came."""

    event: EventView
    upload: UploadView | None
    """None once it is forgotten."""
    row: dict[str, Any] | None
    """For an accepted ordinary event: its row in the Export API, with the properties of that moment."""
    user_properties: dict[str, Any] | None
    """As they stood after this event."""
    group_properties: dict[str, dict[str, dict[str, Any]]] | None
    """As they stood after this event, for the groups it names: type -> name -> properties."""


class EventHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of one insert_id: the answer to "why is it missing"."""

    insert_id: str
    outcome: EventOutcome
    """`accepted` if it was stored at least once, otherwise that of the last arrival."""
    summary: str
    """In one or two sentences: what happened to it, and why."""
    arrivals: list[Arrival]
    """Oldest first; at most the newest 100."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Which event or identify gave a property its present value."""

    seq: int
    event_type: str | None
    insert_id: str | None
    at: int


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """A user as it stands."""

    project_id: int
    amplitude_id: int
    user_id: str | None
    device_ids: list[str]
    """The newest 100."""
    user_properties: dict[str, Any]
    set_by: dict[str, Setting]
    """For each user property that it is known of."""
    fields: dict[str, Any]
    """Device, location and other fields that stay on the profile: `platform`, `country`, `start_version` …"""
    first_seen: int
    last_seen: int
    events: int
    """Ordinary events accepted so far."""


class UserBrief(msgspec.Struct, frozen=True, kw_only=True):
    """A line in a list of users."""

    project_id: int
    amplitude_id: int
    user_id: str | None
    device_id: str | None
    """The newest."""
    events: int
    last_seen: int


class UserPage(msgspec.Struct, frozen=True, kw_only=True):
    users: list[UserBrief]
    """Those seen last first."""


class GroupView(msgspec.Struct, frozen=True, kw_only=True):
    """A group as it stands."""

    project_id: int
    group_type: str
    group_name: str
    group_properties: dict[str, Any]
    set_by: dict[str, Setting]
    first_seen: int
    last_seen: int


class GroupBrief(msgspec.Struct, frozen=True, kw_only=True):
    project_id: int
    group_type: str
    group_name: str
    properties: int
    """How many properties it has."""
    last_seen: int


class GroupPage(msgspec.Struct, frozen=True, kw_only=True):
    groups: list[GroupBrief]
    """Those seen last first."""


class SeenProperty(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    events: int
    """How many events have it."""
    types: dict[str, int]
    """How many of them with a value of which type, in JSON Schema's words; the most frequent first."""
    examples: list[str]
    """Some of its first values, as JSON text."""
    first_seen: int | None
    """None: never."""
    last_seen: int | None
    plan: PropertyBesidePlan | None = None
    """None: the server has no plan, or it says nothing of such properties."""


class PropertyBesidePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan says of a property, and whether it was so."""

    mark: PropertyMark
    """`planned`: as planned. `new`: not planned. `missing`: planned, and never seen. `mistyped`: of another
    type. `invalid`: of another value, or with something within that is not as planned. `incomplete`:
    required, and absent in some events. `retired`: its event is."""
    types: list[str]
    """Those planned; none: any."""
    is_required: bool
    description: str
    deviations: list[PlanDeviation]
    """What was not as planned, at the property or within it; the most frequent first."""


class PlanDeviation(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which some events are not as planned."""

    code: str
    """As `antinode plan check` has it: `wrong_type`, `missing_property` …"""
    path: str
    """Where, as `items[].sku`."""
    count: int
    """How often."""
    advice: str
    """What is wrong with the first of them, and what to write instead."""
    places: list[str]
    """Some of the events, by their `seq`."""


class SeenEventType(msgspec.Struct, frozen=True, kw_only=True):
    event_type: str
    events: int
    first_seen: int | None
    """None: never."""
    last_seen: int | None
    properties: list[SeenProperty]
    """Event properties, those seen most often first; of `$identify` and `$groupidentify`, what changes."""
    plan: EventBesidePlan | None = None
    """None: the server has no plan, or the event type is Amplitude's own, which no plan has."""


class EventBesidePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan says of an event type, and whether it was so."""

    mark: EventMark
    """`planned`: as planned. `new`: not planned. `missing`: planned, and never seen. `retired`: retired, and
    still seen. `deviating`: some of its properties are not as planned."""
    description: str
    owners: list[str]


class SeenGroupType(msgspec.Struct, frozen=True, kw_only=True):
    group_type: str
    properties: list[SeenProperty]
    """What identifies wrote of groups of this type, those written most often first."""


class PlanBeside(msgspec.Struct, frozen=True, kw_only=True):
    """The plan that the server was given."""

    name: str
    events: int
    """Event types in it, but the retired ones."""
    deviating: int
    """How many event types, properties of users and properties of groups are not as planned."""
    untold: int
    """Deviations of kinds for which there was no room."""
    error: str = ""
    """Why its file, which has changed since, cannot be read."""


class SchemaPage(msgspec.Struct, frozen=True, kw_only=True):
    event_types: list[SeenEventType]
    """Those seen most often first; at the end what is planned and was never seen."""
    user_properties: list[SeenProperty]
    """What any event wrote of users, those written most often first."""
    group_types: list[SeenGroupType]
    unread: int
    """How many entries have not been looked at: ask again."""
    plan: PlanBeside | None = None
    """None: the server was given none."""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Counted since the server's store was begun or reset; what was forgotten since is counted still."""

    uploads: int = 0
    events: int = 0
    """Entries of `events` that were accepted, identifies too; duplicates are not."""
    ordinary_events: int = 0
    """The same without `$identify` and `$groupidentify`."""
    duplicates: int = 0
    rejected: int = 0
    returned: int = 0
    problems: int = 0
    """Errors and warnings found on events, of every outcome."""


class Count(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    count: int


class ProblemCount(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    severity: Severity
    count: int
    message: str
    """That of the newest event with this problem."""
    seq: int
    """The newest event with this problem."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Counts per step of time, oldest first; all lists are of one length."""

    step_s: int
    start: int
    """Where the first step begins."""
    accepted: list[int]
    duplicates: list[int]
    rejected: list[int]
    """Rejected and returned."""
    uploads: list[int]
    failed_uploads: list[int]
    """Those answered with anything but 200, or not at all."""


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    now: int
    """By the server's clock."""
    started_at: int
    totals: Totals
    stored_events: int
    """Entries that are kept, of every outcome."""
    max_events: int | None
    """How many are kept at most; None: all."""
    users: int
    groups: int
    statuses: list[Count]
    """Answers by status, most frequent first; `0` is a closed connection."""
    event_types: list[Count]
    """The 50 most frequent of the accepted."""
    libraries: list[Count]
    problems: list[ProblemCount]
    """Most frequent first."""
    series: Series


class EventQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events. What is not given does not restrict."""

    limit: Limit = 100
    before: Natural | None = None
    """Only those with a smaller `seq`."""
    after: Natural | None = None
    """Only those with a larger `seq`."""
    event_type: str | None = None
    user: str | None = None
    """Either id."""
    user_id: str | None = None
    device_id: str | None = None
    insert_id: str | None = None
    group: str | None = None
    """`type:name`; the events that name the group in `groups`."""
    library: str | None = None
    """Whole, or up to the slash: `amplitude-python` finds every version."""
    outcome: EventOutcome | None = None
    problem: str | None = None
    """A problem's code, or `any`."""
    upload_id: Natural | None = None
    project_id: Natural | None = None
    text: str | None = None
    """Anywhere in the event's JSON, in any case."""


class UploadQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which uploads."""

    limit: Limit = 100
    before: Natural | None = None
    """Only those with a smaller id."""
    failed: bool | None = None
    """Only those answered with anything but 200, or only the others."""
    path: str | None = None
