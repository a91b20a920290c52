"""What of an upload was not sent, since its users have withdrawn their consent or nobody could say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from antinode._delivery.outcome import DROPPED, Outcome
from antinode._delivery.record import Record
from antinode._interruptions import is_interruption
from antinode._protocol.status import Status
from antinode._protocol.words import agreeing, counted

if TYPE_CHECKING:
    from antinode._delivery.core.backlog import Backlog
    from antinode._delivery.core.batch import Batch
    from antinode._delivery.core.response_handler import ResponseHandler
    from antinode._delivery.core.settlement import Settlement

WITHDRAWN: Final = Outcome(
    DROPPED, Status.SKIPPED, "consent", message="its user had not consented when it was about to leave"
)
# Where nobody can say, the question is put again after the first of these, which doubles up to the other.
FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 60.0


class Withheld(NamedTuple):
    """The records of an upload that its shell has left out of the request."""

    refused: list[Record]
    """Of users who do not consent."""
    unknown: list[Record]
    """Of users of whom it is not known."""
    why: str = ""
    """Why it is not known."""


class Withholding:
    """Settles what may not be sent, and holds back what may not be sent yet."""

    def __init__(self, settlement: Settlement, backlog: Backlog, response_handler: ResponseHandler) -> None:
        self._settlement = settlement
        self._backlog = backlog
        self._response_handler = response_handler
        self._wait = FIRST_WAIT_SECONDS

    def apply(self, batch: Batch, records: list[Record], withheld: Withheld, now: float) -> list[Record]:
        """The records that were sent, of those that were to be."""
        gone = {id(record) for each in (withheld.refused, withheld.unknown) for record in each}
        if withheld.unknown:
            self._hold(batch, withheld, now)
        else:
            self._wait = FIRST_WAIT_SECONDS
        if withheld.refused:
            self._drop(withheld.refused)
        return [record for record in records if id(record) not in gone]

    def _hold(self, batch: Batch, withheld: Withheld, now: float) -> None:
        """Have the streams of these records wait alone, with what comes after them."""
        held: dict[int, list[Record]] = {}
        for record in withheld.unknown:
            held.setdefault(record.stream, []).append(record)
        # Later records of their streams may be in chunks of this batch that have not been sent yet.
        successors = batch.pull(set(held))
        for stream, records in held.items():
            self._backlog.hold(stream, records + successors.get(stream, []), now + self._wait)
        count = len(withheld.unknown)
        text = (
            f"{counted(count, 'event')} {agreeing(count, 'waits', 'wait')} {self._wait:.0f} s: whether "
            f"{agreeing(count, 'its user consents', 'their users consent')} is not known ({withheld.why})"
        )
        self._response_handler.note("WARNING", "consent unknown", text)
        self._wait = min(LONGEST_WAIT_SECONDS, self._wait * 2)

    def _drop(self, records: list[Record]) -> None:
        try:
            self._settlement.settle(records, WITHDRAWN)
        except Exception as error:
            if is_interruption(error):
                raise
            for record in records:
                if record.outcome is None:
                    self._settlement.settle_alone(record, WITHDRAWN)
        for record in records:
            # Neither a dead letter nor a callback keeps what the user did not want to be kept.
            record.body = b""
        events = f"{counted(len(records), 'event')} {agreeing(len(records), 'was', 'were')}"
        text = f"{events} dropped unsent, for want of consent"
        self._response_handler.note("INFO", "consent", text)
