"""What the tests of the examples have in common: `pytest examples`."""

import os

# Any key does: the plugin lets no event leave.
os.environ.setdefault("AMPLITUDE_API_KEY", "a-key-for-tests")
