"""JSON lines: a row is a line, and is numbered as an editor numbers it."""

from __future__ import annotations

from antinode._importing.chunks import MAX_ROW, Blocks, Chunk, Chunks, nothing_yet

_TOO_LONG = f"the line is longer than {MAX_ROW >> 20} MiB: a line break is missing, or it is no event"


def read_lines(blocks: Blocks) -> Chunks:
    """Rows of JSON lines, without looking into them. White space around a line is dropped."""
    first = 1
    rest: list[bytes] = []
    """The pieces of a line that has no end yet."""
    size = 0
    for block in blocks:
        if not block:
            yield nothing_yet(first)
            continue
        head, end, tail = block.partition(b"\n")
        if not end:
            size += len(block)
            if size <= MAX_ROW:
                rest.append(block)
            continue
        size += len(head)
        problems: dict[int, str] = {}
        if size > MAX_ROW:
            problems[0] = _TOO_LONG
            rest = [b"".join(rest)[:1000], b" \xe2\x80\xa6"]
        else:
            rest.append(head)
        texts = [b"".join(rest).strip()]
        *lines, last = tail.split(b"\n")
        texts += [line.strip() for line in lines]
        yield Chunk(first, texts, problems=problems)
        first += len(texts)
        rest, size = [last], len(last)
    if size > MAX_ROW:
        yield Chunk(first, [b"".join(rest)[:1000]], problems={0: _TOO_LONG})
    elif text := b"".join(rest).strip():
        yield Chunk(first, [text])
