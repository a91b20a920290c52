"""Each accident ends as the table in docs/accidents.md says, with every event accounted for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from tests.accidents import runner
from tests.accidents.catalogue import ACCIDENTS, DROP_IN, Accident
from tests.accidents.judgement import Finding

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks and signals are POSIX's")


@pytest.fixture(scope="module")
def findings(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Finding]]]:
    """All selected accidents, happening at the same time: most of them are spent waiting."""
    specs = [getattr(item, "callspec", None) for item in request.session.items]
    selected = [spec.params["accident"] for spec in specs if spec is not None and "accident" in spec.params]
    with runner.make_pool(selected) as pool:
        yield runner.start(selected, pool)


@pytest.mark.parametrize("accident", [*ACCIDENTS, *DROP_IN], ids=lambda accident: accident.name)
def test_every_event_is_accounted_for(accident: Accident, findings: dict[str, Future[Finding]]) -> None:
    """Nothing is lost, duplicated or out of order beyond what the row allows, and the process ends so."""
    finding = findings[accident.name].result()
    assert not finding.problems, "\n".join(finding.problems)


def test_names_are_unique() -> None:
    """A row is found by its name."""
    rows = (*ACCIDENTS, *DROP_IN)
    assert len({accident.name for accident in rows}) == len(rows)
