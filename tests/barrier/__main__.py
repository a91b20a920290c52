"""`python -m tests.barrier [SCENES [FIRST_SEED]]`: random scenes of flush as a barrier, until one fails."""

from __future__ import annotations

import sys

from tests.barrier.runner import play


def main(scenes: int, first: int) -> int:
    failed = 0
    for seed in range(first, first + scenes):
        problem = play(seed)
        if problem:
            failed += 1
            sys.stdout.write(f"{problem}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{scenes} scenes from seed {first}, {failed} failed\n")
    return failed


if __name__ == "__main__":
    numbers = [int(each) for each in sys.argv[1:]]
    sys.exit(1 if main(*(numbers + [200, 1][len(numbers) :])) else 0)
