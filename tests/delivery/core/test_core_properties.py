"""What the core guarantees whatever the server and the network do, for arbitrary histories of both."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from antinode._delivery.core.config import CoreConfig
from antinode._delivery.retry import Backoff, RetryPolicy, Schedule
from antinode._protocol.endpoints import Endpoint
from tests.delivery.model_server import ENVELOPE, MISBEHAVIOURS, OUTAGES, THROTTLES, Server
from tests.delivery.model_store import ModelStore
from tests.delivery.simulation import Simulation
from tests.examples import examples

ONES = settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

users = st.sampled_from([None, "user-1", "user-2", "user-3"])
devices = st.sampled_from([None, "device-1", "device-2"])
kinds = st.sampled_from(["good"] * 12 + ["invalid", "missing", "short", "silenced", "poison"])
sizes = st.sampled_from([0, 0, 0, 200, 500, 1200])
names = st.sampled_from(sorted(MISBEHAVIOURS))
policies: st.SearchStrategy[RetryPolicy] = st.one_of(
    st.just(Backoff()), st.lists(st.sampled_from([0, 100, 5000]), max_size=3).map(Schedule)
)
configs = st.builds(
    CoreConfig,
    max_batch_events=st.sampled_from([1, 3, 10, 2000]),
    max_batch_bytes=st.sampled_from([300, 1000, 5000, 990_000]),
    connections=st.integers(1, 4),
    interval=st.sampled_from([0.0, 0.0, 5.0]),
    rush_events=st.sampled_from([2, 20, 16_000]),
    max_events=st.sampled_from([5, 50, 1_000_000]),
    max_bytes=st.sampled_from([2000, 10_000, 1 << 27]),
    max_age=st.sampled_from([None, None, 0.5, 30.0, 4000.0]),
    pace=st.sampled_from([None, None, 0.5, 30.0]),
    policy=policies,
    backlog_endpoint=st.sampled_from([None, Endpoint.BATCH]),
)
servers = st.builds(
    Server,
    is_batch_api=st.booleans(),
    max_events=st.sampled_from([2, 2000]),
    max_body=st.sampled_from([700, 2000, 1_000_000]),
)


class Deliveries(RuleBasedStateMachine):
    """An application, a core in its shell, and a server with whims of its own."""

    sim: Simulation

    @initialize(config=configs, server=servers, overflow=st.sampled_from(["drop_oldest", "drop_newest"]))
    def begin(self, config: CoreConfig, server: Server, overflow: str) -> None:
        self.sim = Simulation(config, server, overflow=overflow)
        self.take_one()

    def take_one(self) -> None:
        """What a server does that has taken nothing yet is told in `test_refusals`."""
        self.sim.log("user-0")
        self.sim.advance(self.sim.config.interval + 1.0)

    @rule(user=users, device=devices, kind=kinds, size=sizes, count=st.sampled_from([1, 1, 2, 30]))
    def log(self, user: str | None, device: str | None, kind: str, size: int, count: int) -> None:
        for _ in range(count):
            self.sim.log(user or (None if device else "user-9"), device, kind=kind, size=size)

    @rule(count=st.integers(2, 40))
    def log_for_many(self, count: int) -> None:
        for number in range(count):
            self.sim.log(f"user-{number}")

    @rule(user=users)
    def log_while_it_falls_asleep(self, user: str | None) -> None:
        self.sim.racing = lambda: self.sim.log(user or "user-9")

    @rule(seconds=st.sampled_from([0.001, 0.02, 0.05, 0.3, 1.0, 7.0, 31.0, 400.0]))
    def wait(self, seconds: float) -> None:
        self.sim.advance(seconds)

    @rule(name=st.none() | names)
    def change_weather(self, name: str | None) -> None:
        self.sim.server.weather = name

    @rule(them=st.lists(st.none() | names, max_size=4))
    def plan_accidents(self, them: list[str | None]) -> None:
        self.sim.server.accidents.extend(them)

    @rule(threshold=st.sampled_from([None, 0.2, 1.0, 30.0]))
    def throttle(self, threshold: float | None) -> None:
        self.sim.server.eps_threshold = threshold

    @rule(user=users)
    def exceed_quota(self, user: str | None) -> None:
        if user is not None:
            self.sim.server.over_quota ^= {user}

    @rule(latency=st.sampled_from([0.001, 0.05, 3.0]))
    def change_latency(self, latency: float) -> None:
        self.sim.server.latency = latency

    @rule(is_late=st.booleans())
    def change_lateness(self, is_late: bool) -> None:
        self.sim.is_late = is_late

    @rule()
    def flush(self) -> None:
        self.sim.flush()

    @rule()
    def hurry(self) -> None:
        self.sim.hurry()

    @rule(really=st.sampled_from([False] * 9 + [True]))
    def abandon(self, really: bool) -> None:
        if really:
            self.sim.abandon()

    @invariant()
    def is_in_order(self) -> None:
        if hasattr(self, "sim"):
            self.sim.check_order()

    def teardown(self) -> None:
        """Once the server is well, everything settles, within a bounded time and number of requests."""
        if not hasattr(self, "sim"):
            return
        sim, server = self.sim, self.sim.server
        server.weather = server.eps_threshold = None
        server.accidents.clear()
        server.latency = 0.05
        pending, requests = sim.core.ledger.pending, len(server.requests)
        if sim.store is not None:
            pending += sim.store.left  # of these it does not know yet
        sim.settle(limit=24 * 3600.0)
        assert len(server.requests) - requests <= 20 + 3 * pending
        sim.check_end()


class StoredDeliveries(Deliveries):
    """The same with a store, which has troubles of its own, holds what a dead process left, and is behind."""

    @initialize(
        config=configs,
        server=servers,
        memory_events=st.sampled_from([1, 4, 30, 20_000]),
        left=st.lists(users, max_size=40),
        forgets=st.booleans(),
        waits=st.booleans(),
    )
    def begin(  # type: ignore[override]
        self,
        config: CoreConfig,
        server: Server,
        memory_events: int,
        left: list[str | None],
        forgets: bool,
        waits: bool,
    ) -> None:
        config = replace(config, memory_events=memory_events, waits_for_room=waits)
        store = ModelStore([left_behind(number, user) for number, user in enumerate(left)])
        self.sim = Simulation(config, server, overflow="drop_newest", store=store, forgets=forgets)
        self.sim.step()
        self.take_one()

    @rule(trouble=st.sampled_from([None, None, "full", "broken"]))
    def change_trouble(self, trouble: str | None) -> None:
        assert self.sim.store is not None
        self.sim.store.trouble = trouble
        self.sim.step()


def left_behind(number: int, user: str | None) -> tuple[bytes, float]:
    """An event that a process which died had logged."""
    event = {"user_id": user or "user-9", "device_id": None, "insert_id": f"left{number}", "kind": "good"}
    return json.dumps(event).encode(), 900.0


TestDeliveries = Deliveries.TestCase
TestStoredDeliveries = StoredDeliveries.TestCase
TestDeliveries.settings = TestStoredDeliveries.settings = settings(
    max_examples=examples(80),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@ONES
@given(
    data=st.data(),
    connections=st.integers(1, 4),
    batch=st.sampled_from([3, 2000]),
    pace=st.sampled_from([None, 30.0]),
)
def test_an_outage_loses_nothing(data: Any, connections: int, batch: int, pace: float | None) -> None:
    """However long no request succeeds, every event is delivered once the server is well again."""
    sim = Simulation(CoreConfig(connections=connections, max_batch_events=batch, pace=pace))
    harmless = st.sampled_from(sorted({**OUTAGES, **THROTTLES}))
    for _ in range(data.draw(st.integers(1, 6))):
        sim.server.weather = data.draw(harmless)
        for number in range(data.draw(st.integers(0, 20))):
            sim.log(f"user-{number % 5}")
        sim.advance(data.draw(st.sampled_from([0.01, 5.0, 100.0, 2000.0])))
        if data.draw(st.booleans()):
            sim.flush()
    sim.server.weather = None
    sim.settle(4000.0)

    sim.check_end()
    assert sim.outcomes() == ({"delivered": len(sim.records)} if sim.records else {})


@ONES
@given(
    kinds=st.lists(
        st.sampled_from(["good", "good", "invalid", "missing", "short", "silenced"]), max_size=120
    ),
    is_batch_api=st.booleans(),
    connections=st.integers(1, 4),
)
def test_bad_events_cost_no_good_one(kinds: list[str], is_batch_api: bool, connections: int) -> None:
    """Every good event is delivered and every bad one rejected, in about one request for each bad one."""
    sim = Simulation(CoreConfig(connections=connections), Server(is_batch_api=is_batch_api))
    for number, kind in enumerate(kinds):
        sim.log(f"user-{number % 7}", kind=kind)
    sim.settle(60.0)

    good = kinds.count("good")
    bad = len(kinds) - good
    sim.check_end()
    assert [record.outcome.ok for record in sim.records if record.outcome] == [
        kind == "good" for kind in kinds
    ]
    assert len(sim.server.requests) <= 3 + (5 if is_batch_api else bad) + len(kinds) // 5


@ONES
@given(poisons=st.sets(st.integers(0, 299), max_size=19), size=st.integers(1, 300))
def test_poison_is_found_by_bisection(poisons: set[int], size: int) -> None:
    """Events for which a firewall refuses the whole body are found in a logarithmic number of requests."""
    sim = Simulation()
    sim.acquaint()
    kinds = ["poison" if number in poisons else "good" for number in range(size)]
    for number, kind in enumerate(kinds):
        sim.log(f"user-{number % 7}", kind=kind)
    sim.settle(60.0)

    sim.check_end()
    assert [record.outcome.ok for record in sim.records if record.outcome] == [
        kind == "good" for kind in kinds
    ]
    assert len(sim.server.requests) <= 3 + kinds.count("poison") * (2 * size.bit_length())


@ONES
@given(
    limit=st.integers(400, 5000),
    sizes=st.lists(st.integers(100, 3000), min_size=1, max_size=60),
    connections=st.integers(1, 4),
)
def test_what_is_too_large_together_goes_apart(limit: int, sizes: list[int], connections: int) -> None:
    """Under a smaller limit than documented, only events that are too large by themselves are rejected."""
    sim = Simulation(CoreConfig(connections=connections), Server(max_body=limit))
    for number, size in enumerate(sizes):
        sim.log(f"user-{number % 3}", size=size)
    bodies = [len(record.body) for record in sim.records]
    sim.settle(3600.0 * 10)

    sim.check_end()
    for record, size in zip(sim.records, bodies, strict=True):
        assert record.outcome is not None
        assert record.outcome.ok == (size + 1 + ENVELOPE <= limit)
