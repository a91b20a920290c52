"""What holds for all tests."""

import signal

from hypothesis import settings

# How long an example takes says more of the machine than of the code.
settings.register_profile("antinode", deadline=None)
settings.load_profile("antinode")

# A job that a shell starts in its background ignores Ctrl-C, and so would every process started here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
