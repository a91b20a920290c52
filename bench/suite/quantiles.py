"""The quantiles of many short times."""

from __future__ import annotations

from collections.abc import Sequence

QUANTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


def quantile(ordered: Sequence[float], share: float) -> float:
    """The least of the sorted values that at least `share` of all do not exceed."""
    if not ordered:
        raise ValueError("there is no quantile of nothing")
    rank = -(-len(ordered) * round(share * 1_000_000) // 1_000_000)
    return ordered[min(max(int(rank), 1), len(ordered)) - 1]


def summary(values: list[float], scale: float) -> dict[str, float]:
    """p50, p99, p99.9 and the maximum of `values`, each times `scale`."""
    values.sort()
    figures = {name: quantile(values, share) * scale for name, share in QUANTILES.items()}
    return figures | {"max": values[-1] * scale}
