"""The bytes of a source, read and decompressed ahead by a thread of its own."""

from __future__ import annotations

import os
import queue
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from antinode._importing.errors import Damaged, ImportTrouble, NotInstalled, NotReadable
from antinode._importing.readers.encodings import as_utf8

if TYPE_CHECKING:
    from antinode._importing.sources import Source

BLOCK: Final = 512 * 1024
# Blocks that wait to be taken, so that reading goes on while rows are made of them.
_AHEAD: Final = 8
# After this time without a block, the importer's thread looks at what else there is to do.
_PATIENCE_SECONDS: Final = 0.05

_GZIP: Final = b"\x1f\x8b"
_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"
_BZIP2: Final = b"BZh"
_XZ: Final = b"\xfd7zXZ"
_ZIP: Final = b"PK\x03\x04"
# The first bytes taken after a member's end: the next may be as short, and must not copy the whole block.
_FIRST_STEP: Final = 4096
# A window of 64 MiB, which every level of the zstd command but the highest needs at most.
_MAX_WINDOW_LOG: Final = 26
# What the highest level of the xz command needs, and a little more.
_XZ_MEMORY_BYTES: Final = 80 * 1024 * 1024
_LAYERS: Final = 3
"""A file that was compressed more often than this was made to be unpleasant."""


class Stream:
    """Iterates over the blocks of a source, unpacked; an empty block says that there is nothing more yet.

    The thread fills a queue of a few blocks and waits. It ends when `close` tells it to,
    or with the process where it hangs in a read.
    """

    def __init__(self, source: Source, encoding: str | None = None) -> None:
        self.taken = 0
        """Bytes of the source that were read, before unpacking."""
        self._source = source
        self._encoding = encoding
        self._blocks: queue.Queue[bytes | BaseException | None] = queue.Queue(_AHEAD)
        self._is_closed = False
        thread = threading.Thread(target=self._run, name="antinode-import-read", daemon=True)
        thread.start()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                block = self._blocks.get(timeout=_PATIENCE_SECONDS)
            except queue.Empty:
                yield b""
                continue
            if block is None:
                return
            if isinstance(block, BaseException):
                raise block
            yield block

    def close(self) -> None:
        """Let the thread end."""
        self._is_closed = True
        with suppress(queue.Empty):
            while True:
                self._blocks.get_nowait()

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            for block in as_utf8(unpacked(self._raw()), self._encoding):
                if block:
                    self._put(block)
                if self._is_closed:
                    return
        except ImportTrouble as error:
            end = type(error)(f"{self._source.name}: {error}") if isinstance(error, NotReadable) else error
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            end = Damaged(f"{self._source.name}: it is damaged within its archive ({error})")
        except Exception as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            end = NotReadable(f"{self._source.name} cannot be read: {reason}")
        self._put(end)

    def _put(self, block: bytes | BaseException | None) -> None:
        while not self._is_closed:
            with suppress(queue.Full):
                self._blocks.put(block, timeout=0.2)
                return

    def _raw(self) -> Iterator[bytes]:
        with opened(self._source) as read:
            while block := read(BLOCK):
                self.taken += len(block)
                yield block


class opened:
    """Opens a source; what a `with` gives is its `read`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._files: list[Any] = []

    def __enter__(self) -> Callable[[int], bytes]:
        source = self._source
        if source.path is None:
            # Not through the buffer, whose lock a thread that hangs in it would keep to the end.
            descriptor = sys.stdin.fileno()
            return lambda size: os.read(descriptor, size)
        if source.member is None:
            self._files.append(open(source.path, "rb", buffering=0))
        else:
            assert source.archive is not None  # noqa: S101 - every member has one
            self._files.append(source.archive.open(source.member))
        read: Callable[[int], bytes] = self._files[-1].read
        return read

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()
        if self._source.archive is not None:
            self._source.archive.leave(self._source.member)


def unpacked(blocks: Iterator[bytes], layers: int = _LAYERS) -> Iterator[bytes]:
    """`blocks` without the compression that their first bytes tell of. Raises `NotReadable` for damage."""
    start = b""
    for block in blocks:
        start += block
        if len(start) >= 4:
            break
    rest = _chained(start, blocks)
    if start.startswith(_ZIP):
        raise NotReadable(
            "a zip archive can be read from a file only: save it as one, or pipe in what is in it (unzip -p)"
        )
    if layers and start.startswith(_GZIP):
        yield from unpacked(_gunzipped(rest), layers - 1)
    elif layers and start.startswith(_ZSTANDARD):
        yield from unpacked(_unzstandarded(rest), layers - 1)
    elif layers and start.startswith(_BZIP2):
        yield from unpacked(_unbzipped(rest), layers - 1)
    elif layers and start.startswith(_XZ):
        yield from unpacked(_unxzed(rest), layers - 1)
    else:
        yield from rest


def _chained(start: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from blocks


class _Gathered:
    """Pieces joined to blocks: thousands of tiny members must not become as many blocks."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)

    def full(self) -> Iterator[bytes]:
        """A block, if there is enough for one."""
        if self._size >= BLOCK:
            yield from self.rest()

    def rest(self) -> Iterator[bytes]:
        """All that is there."""
        if self._pieces:
            pieces, self._pieces, self._size = self._pieces, [], 0
            yield pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _gunzipped(blocks: Iterator[bytes]) -> Iterator[bytes]:
    def new() -> Any:
        return zlib.decompressobj(16 + zlib.MAX_WBITS)

    member, is_between = new(), True
    step = BLOCK
    for block in blocks:
        at, view, out = 0, memoryview(block), _Gathered()
        while at < len(block):
            if is_between and block[at] == 0 and not block[at:].strip(b"\0"):
                break  # padding behind the last member
            is_between = False
            piece = view[at : at + step]
            try:
                # Bounded, since a small block may unpack to any size.
                out.add(member.decompress(piece, BLOCK))
            except zlib.error as error:
                yield from out.rest()
                raise Damaged(f"its gzip compression is damaged ({error})") from error
            at += len(piece) - len(member.unconsumed_tail) - len(member.unused_data)
            step = min(2 * step, BLOCK)
            if member.eof:
                member, is_between, step = new(), True, _FIRST_STEP
            yield from out.full()
        yield from out.rest()
    if not is_between:
        raise Damaged("it ends in the middle of its gzip compression: it is not there as a whole")


def _unzstandarded(blocks: Iterator[bytes]) -> Iterator[bytes]:
    zstd = _zstandard()
    limits = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}

    def explained(error: Exception) -> str:
        if "memory" not in str(error):
            return ""
        return (
            f"unpacking its zstd compression takes more than {1 << (_MAX_WINDOW_LOG - 20)} MiB of memory: "
            "pipe it in (zstd -dc --long=31)"
        )

    return _unpacked_stepwise(
        blocks, "zstd", lambda: zstd.ZstdDecompressor(options=limits), zstd.ZstdError, explained
    )


def _unbzipped(blocks: Iterator[bytes]) -> Iterator[bytes]:
    import bz2  # noqa: PLC0415 - rare

    return _unpacked_stepwise(blocks, "bzip2", bz2.BZ2Decompressor, OSError, lambda _: "")


def _unxzed(blocks: Iterator[bytes]) -> Iterator[bytes]:
    import lzma  # noqa: PLC0415 - rare

    def explained(error: Exception) -> str:
        if "limit" not in str(error):
            return ""
        return (
            f"unpacking its xz compression takes more than {_XZ_MEMORY_BYTES >> 20} MiB of memory: "
            "pipe it in (xz -dc)"
        )

    return _unpacked_stepwise(
        blocks,
        "xz",
        lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES),
        lzma.LZMAError,
        explained,
    )


def _unpacked_stepwise(
    blocks: Iterator[bytes],
    name: str,
    new: Callable[[], Any],
    failure: type[Exception],
    explained: Callable[[Exception], str],
) -> Iterator[bytes]:
    """The output of decompressors that can bound it, one decompressor for each frame.

    `explained` says why a frame cannot be unpacked, if the reason is not damage.
    """
    frame, is_between = new(), True
    step = BLOCK
    for block in blocks:
        at, view, out = 0, memoryview(block), _Gathered()
        while at < len(block):
            if is_between and block[at] == 0 and not block[at:].strip(b"\0"):
                break  # padding behind the last frame
            is_between = False
            piece = view[at : at + step]
            try:
                out.add(frame.decompress(piece, BLOCK))
                yield from out.full()
                while not (frame.needs_input or frame.eof):
                    out.add(frame.decompress(b"", BLOCK))
                    yield from out.full()
            except failure as error:
                yield from out.rest()
                why = explained(error)
                if why:
                    raise NotReadable(why) from error
                raise Damaged(f"its {name} compression is damaged ({error})") from error
            at += len(piece)
            step = min(2 * step, BLOCK)
            if frame.eof:
                at -= len(frame.unused_data)
                frame, is_between, step = new(), True, _FIRST_STEP
        yield from out.rest()
    if not is_between:
        raise Damaged(f"it ends in the middle of its {name} compression: it is not there as a whole")


def _zstandard() -> Any:
    """The standard library's module, or the package that brings it to older Pythons."""
    import importlib  # noqa: PLC0415 - only for zstd

    for name in ("compression.zstd", "backports.zstd"):
        with suppress(ImportError):
            return importlib.import_module(name)
    raise NotInstalled("zstd", "backports.zstd")
