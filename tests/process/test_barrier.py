"""`flush` lets nothing through that has not settled, in random programs that fork.

`python -m tests.barrier` runs more of them.
"""

from __future__ import annotations

import os

import pytest
from tests.barrier.runner import play

# With a spool and one connection: of each kind of transport and each way to fork, and small.
SEEDS = (4, 10, 16, 29, 36)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("seed", SEEDS)
def test_flush_is_a_barrier_in_a_random_program_that_forks(seed: int) -> None:
    """In it and in its children, whatever callbacks log and connections are cut, each flush returns when all
    that was logged before has settled."""
    assert play(seed) == ""
