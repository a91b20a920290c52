"""antinode's place among the exit handlers of the process, taken with `import antinode`.

Handlers run in reverse order: those that an application registers after the import run before this one, and
the events that they log go out with all others. The client itself is loaded later, maybe after them.
"""

import atexit

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable

handler: "Callable[[], object] | None" = None
"""What is to be done at exit; set when there is somebody to do it for."""


def _run() -> None:
    if handler is not None:
        handler()


atexit.register(_run)
