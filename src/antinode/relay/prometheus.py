"""Prometheus' text format: a few lines a metric, which need no library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Samples: TypeAlias = Iterable[tuple[Mapping[str, str], float]]
"""Values with their labels."""


def metric(name: str, kind: Literal["counter", "gauge"], what: str, samples: Samples) -> str:
    """One metric with its values. A counter's name ends in `_total`."""
    lines = [f"# HELP {name} {_escaped(what, quote=False)}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def histogram(name: str, what: str, bounds: Sequence[float], counts: Sequence[int], total: float) -> str:
    """A histogram: how many values were in each bucket, one more than there are upper bounds."""
    lines = [f"# HELP {name} {_escaped(what, quote=False)}", f"# TYPE {name} histogram"]
    seen = 0
    for bound, count in zip((*map(_number, bounds), "+Inf"), counts, strict=True):
        seen += count
        lines.append(f'{name}_bucket{{le="{bound}"}} {seen}')
    lines += [f"{name}_sum {_number(total)}", f"{name}_count {seen}"]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value, quote=True)}"' for name, value in labels.items()) + "}"


def _escaped(text: str, *, quote: bool) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
