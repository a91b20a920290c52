"""What the relay's tests have in common."""

import pytest

pytest.register_assert_rewrite("tests.relay.contract")
