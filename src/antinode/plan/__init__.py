"""A tracking plan as a file: read, inferred from events, held to, and written as Python classes.

    from antinode.plan import conform

    client.add_event_middleware(conform("tracking-plan.yaml", on_violation="warn"))

`pip install "antinode[plan]"` adds what reads YAML; docs/tracking-plan.md has the file and the commands.
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    from antinode.plan._checking import violations
    from antinode.plan._conform import Conformance, conform
    from antinode.plan._errors import PlanError, PlanViolation
    from antinode.plan._models import PlannedEvent, TrackingPlan
    from antinode.plan._reading import parse_plan, read_plan
    from antinode.plan._schemas import PropertySchema, Violation
else:
    from antinode._lazy import exports as _exports

    __getattr__, __dir__ = _exports(
        __name__,
        {
            "antinode.plan._checking": "violations",
            "antinode.plan._conform": "Conformance conform",
            "antinode.plan._errors": "PlanError PlanViolation",
            "antinode.plan._models": "PlannedEvent TrackingPlan",
            "antinode.plan._reading": "parse_plan read_plan",
            "antinode.plan._schemas": "PropertySchema Violation",
        },
    )
    del TYPE_CHECKING

__all__ = [
    "Conformance",
    "PlanError",
    "PlanViolation",
    "PlannedEvent",
    "PropertySchema",
    "TrackingPlan",
    "Violation",
    "conform",
    "parse_plan",
    "read_plan",
    "violations",
]
