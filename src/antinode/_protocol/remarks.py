"""What is told of an event that is sent all the same."""

from __future__ import annotations


class Remark(str):
    """What was changed in an event, left out of it, or will be ignored: one sentence."""

    __slots__ = ("is_change", "objection", "subject")

    subject: str
    """What it is about; remarks with one subject are of one kind, whichever event they come from."""
    objection: str
    """The sentence in its place where such an event is refused; empty if the event is right as it is."""
    is_change: bool
    """Whether the event is sent otherwise than it was given."""

    def __new__(cls, text: str, *, subject: str, objection: str = "", is_change: bool = True) -> Remark:
        remark = super().__new__(cls, text)
        remark.subject = subject
        remark.objection = objection
        remark.is_change = is_change
        return remark
