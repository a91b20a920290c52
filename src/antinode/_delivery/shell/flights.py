"""The uploads that are under way, on which threads, and until when their answers are waited for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from antinode._delivery.core.batch import Upload
from antinode._delivery.shell.exchange import Exchanger, Reply
from antinode._delivery.shell.uploaders import Job, Uploaders
from antinode._protocol.responses import unreached
from antinode._protocol.status import Status

# A thread whose request has had no reply for so long after its timeout is given up for lost.
GRACE_SECONDS = 5.0


class Flights:
    """Makes jobs of uploads, and collects their replies.

    Any thread posts a reply; everything else is called by one thread at a time.
    """

    def __init__(
        self,
        exchanger: Exchanger,
        make_uploaders: Callable[[], Uploaders],
        *,
        timeout: float,
        clock: Callable[[], float],
        is_awaited: Callable[[int], bool],
        on_reply: Callable[[], object] = lambda: None,
        asks_for: float = 0.0,
    ) -> None:
        """`asks_for` is how long the application may take to say what may be sent, before the request.

        `is_awaited` tells, on the thread that makes the request, whether the upload of this number is to be
        made still.
        """
        self._exchanger = exchanger
        self._make_uploaders = make_uploaders
        self._timeout = timeout
        self._lost_after = asks_for + timeout + GRACE_SECONDS
        self._clock = clock
        self._on_reply = on_reply
        self._is_awaited = is_awaited
        self._replies: deque[Reply] = deque()
        self._jobs: dict[int, tuple[float, Job]] = {}
        """By the upload's number: when it is given up for lost, and its job."""
        self.uploaders = make_uploaders()

    def make_uploaders(self) -> None:
        """Make the uploaders with their queue and locks anew; before the first thread starts."""
        self.uploaders = self._make_uploaders()

    def job(self, upload: Upload, now: float, until: float | None = None) -> Job:
        """The job that makes an upload, which is under way from here on. `until` ends the request early."""

        def run() -> None:
            timeout = self._timeout if until is None else min(self._timeout, until - self._clock())
            self._exchanger.exchange(upload, timeout, self._post, self._is_awaited)

        job = Job(run)
        self._jobs[upload.number] = (now + self._lost_after, job)
        return job

    def _post(self, reply: Reply) -> None:
        self._replies.append(reply)
        self._on_reply()

    @property
    def has_replies(self) -> bool:
        return bool(self._replies)

    @property
    def awaited(self) -> int:
        """How many uploads have no reply yet."""
        return len(self._jobs) - len(self._replies)

    @property
    def next_loss(self) -> float | None:
        """When the next upload under way is given up for lost."""
        return min((at for at, _ in self._jobs.values()), default=None)

    def __len__(self) -> int:
        return len(self._jobs)

    def take_replies(self, now: float) -> Iterator[Reply]:
        """The replies that have come, and for each upload given up for lost one in its place."""
        while self._replies:
            reply = self._replies.popleft()
            self._jobs.pop(reply.number, None)
            yield reply
        for number in [number for number, (at, _) in self._jobs.items() if now >= at]:
            _, job = self._jobs.pop(number)
            self.uploaders.give_up(job)
            yield Reply(number, unreached(Status.TIMEOUT, "the thread that made the request was lost"))
