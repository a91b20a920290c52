"""The contract of intakes, held to by the simplest one."""

import pytest

from tests.relay.contract import IntakeContract
from tests.relay.memory import MemoryStore


class TestMemoryIntake(IntakeContract):
    """What keeps events in memory."""

    @pytest.fixture
    def bench(self) -> MemoryStore:
        return MemoryStore()
