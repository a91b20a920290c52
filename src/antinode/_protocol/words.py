"""Numbers in sentences, so that they agree with their nouns and verbs."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 event`, `2,000 events`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def agreeing(number: int, one: str, several: str) -> str:
    """The verb's form for so many: `was` or `were`, `waits` or `wait`."""
    return one if number == 1 else several


def size(count: int) -> str:
    """`310 B`, `3.4 kB`, `1,024.0 GB`: bytes in decimal units."""
    if count < 1_000:
        return f"{count} B"
    for unit in ("kB", "MB"):
        in_unit = count / 1_000
        if in_unit < 999.95:
            return f"{in_unit:.1f} {unit}"
        count //= 1_000
    return f"{count / 1_000:,.1f} GB"


def with_article(noun: str) -> str:
    """`a list`, `an int`."""
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"
