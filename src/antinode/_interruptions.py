"""Exceptions out of signal handlers, which are for the application and not about what was being done."""

from __future__ import annotations

from types import FrameType
from typing import Any

# `inspect.CO_VARARGS`, which takes milliseconds to load.
_HAS_VARARGS = 0x04


def is_interruption(error: BaseException) -> bool:
    """Whether a signal handler of the application raised `error`: a soft time limit, a worker's timeout.

    A handler is given the frame that it interrupts, which is its caller's: no other function is.
    """
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        interrupted = frame.f_back
        if interrupted is not None and any(each is interrupted for each in _arguments(frame)):
            return True
        traceback = traceback.tb_next
    return False


def _arguments(frame: FrameType) -> list[Any]:
    code = frame.f_code
    has_more = bool(code.co_flags & _HAS_VARARGS)
    if code.co_argcount < 2 and not has_more:
        return []
    held = frame.f_locals
    given = [held.get(name) for name in code.co_varnames[: code.co_argcount]]
    if has_more:
        given += held.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount], ())
    return given
