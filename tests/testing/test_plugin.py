"""The pytest plugin, loaded by itself: sample projects that pass and fail, and what a person sees."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

pytest_plugins = ("pytester",)

EXAMPLES = Path(__file__).parents[2] / "examples"
GUIDE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")

SHOP = """
import antinode

antinode.init("0123456789abcdef0123456789abcdef")


def place_order(total):
    antinode.log_event(
        {"event_type": "Order Placed", "user_id": "user-20391", "event_properties": {"total": total}}
    )
"""


# What else is installed only takes time to load.
OTHERS = ("anyio", "asyncio", "cacheprovider", "faker", "hypothesispytest", "pytest_cov", "schemathesis")
WITHOUT = [word for name in OTHERS for word in ("-p", f"no:{name}")]


def run(pytester: pytest.Pytester, tests: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(shop=SHOP, test_shop=tests)
    return pytester.runpytest_subprocess(*WITHOUT, *arguments)


def test_a_project_that_passes(pytester: pytest.Pytester) -> None:
    """Functions, coroutines, classes of unittest and parallel workers; each test sees its own events."""
    tests = """
        import asyncio, unittest
        import pytest, shop
        from antinode.testing import capture

        @pytest.mark.parametrize("total", range(4))
        def test_order(amplitude, total):
            shop.place_order(total)
            amplitude.assert_logged("Order Placed", properties={"total": total}, times=1)

        def test_coroutine(amplitude):
            async def serve():
                await asyncio.to_thread(shop.place_order, 5)
            asyncio.run(serve())
            amplitude.only("Order Placed", properties={"total": 5})

        class OrderTest(unittest.TestCase):
            def test_order(self):
                with capture() as amplitude:
                    shop.place_order(1)
                amplitude.assert_logged("Order Placed", times=1)
    """
    run(pytester, tests, "-n", "2").assert_outcomes(passed=6)


def test_a_project_that_fails(pytester: pytest.Pytester) -> None:
    """What failed is told with the nearest event, the problem, or the event that nobody asked to send."""
    tests = """
        import antinode, pytest, shop

        def test_wrong(amplitude):
            shop.place_order(12.5)
            amplitude.assert_logged("Order Placed", properties={"total": 12})

        def test_two(amplitude):
            shop.place_order(1)
            shop.place_order(2)
            amplitude.only("Order Placed")

        def test_problem(amplitude):
            antinode.log_event({"event_type": "No User"})

        @pytest.mark.amplitude(strict=False)
        def test_lenient(amplitude):
            antinode.log_event({"event_type": "No User"})

        def test_unasked():
            shop.place_order(1)

        @pytest.fixture
        def after():
            yield
            shop.place_order(2)

        def test_unasked_afterwards(after):
            pass

        def test_off():
            antinode.get_instance("off").init(enabled=False).log_event({"event_type": "No User"})

        def test_own_error_comes_first(amplitude):
            antinode.log_event({"event_type": "No User"})
            assert False, "mine"
    """
    result = run(pytester, tests)
    result.assert_outcomes(passed=3, failed=5, errors=1)
    result.stdout.fnmatch_lines(
        [
            '*"Order Placed" was not logged as described; what was logged:',
            '*"Order Placed", logged at shop.py:*',
            "*event_properties.total  expected 12, found 12.5",
            '*"Order Placed" was logged twice, and once was expected:',
            '*an event was refused ("No User", logged at *test_shop.py:*neither a `user_id` nor*',
            "events would have been sent to api2.amplitude.com:",
            '  "Order Placed", logged at shop.py:*',
            "take them with the fixture `amplitude`,*",
            "*mine",
        ],
        consecutive=False,
    )
    # The last line of a traceback is the test's own.
    assert "antinode/testing" not in result.stdout.str()
    assert "During handling" not in result.stdout.str()


def test_what_unittest_shows(pytester: pytest.Pytester) -> None:
    """The line of the test and the nearest event, and none of the kit's own lines."""
    tests = """
        import unittest
        import shop
        from antinode.testing import capture

        class OrderTest(unittest.TestCase):
            def test_order(self):
                with capture() as amplitude:
                    shop.place_order(12.5)
                amplitude.assert_logged("Order Placed", properties={"total": 12})
    """
    pytester.makepyfile(shop=SHOP, test_shop=tests)
    told = pytester.run(sys.executable, "-m", "unittest", "test_shop").stderr.str()
    assert "event_properties.total  expected 12, found 12.5" in told
    assert 'amplitude.assert_logged("Order Placed"' in told
    assert "antinode/testing" not in told


def test_colours_are_for_terminals(pytester: pytest.Pytester) -> None:
    tests = """
        import shop

        def test_wrong(amplitude):
            shop.place_order(12.5)
            amplitude.assert_logged("Order Placed", properties={"total": 12})
    """
    assert (
        "expected \033[32m12\033[0m, found \033[31m12.5\033[0m"
        in run(pytester, tests, "--color=yes").stdout.str()
    )


def test_what_is_marked_is_sent(pytester: pytest.Pytester) -> None:
    """A test that is marked, and what goes to this machine, is left alone; then the guard is up again."""
    tests = """
        import antinode, pytest
        from antinode.testing import Endpoint

        PROXY = "http://127.0.0.1:9"

        def test_here():
            with Endpoint() as endpoint:
                with antinode.get_instance("here").init("0" * 32, server_url=endpoint.url) as client:
                    client.log_event({"event_type": "A", "user_id": "user-20391"})
                assert len(endpoint.events) == 1

        @pytest.mark.amplitude_real
        def test_there():
            client = antinode.get_instance("there").init("0" * 32, proxy=PROXY, request_timeout_millis=500)
            delivery = client.log_event({"event_type": "A", "user_id": "user-20391"})
            assert not delivery.done()
            client.shutdown(0)

        def test_guarded():
            antinode.get_instance("there").init("0" * 32, proxy=PROXY).log_event(
                {"event_type": "A", "user_id": "user-20391"}
            )

        @pytest.mark.amplitude_real
        def test_both(amplitude):
            pass
    """
    result = run(pytester, tests)
    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*not both*", "events would have been sent to api2.amplitude.com:*"])


def test_projects_without_antinode_load_nothing(pytester: pytest.Pytester) -> None:
    """The client's code is loaded by the code under test, or not at all; and then the guard is up at once."""
    tests = """
        import sys

        def test_nothing_is_loaded():
            assert not [name for name in sys.modules if name.startswith(("antinode._delivery", "msgspec"))]

        def test_late():
            import antinode
            antinode.init("0" * 32).log_event({"event_type": "A", "user_id": "user-20391"})
    """
    result = run(pytester, tests)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["events would have been sent to api2.amplitude.com:"])


def test_the_guide(pytester: pytest.Pytester) -> None:
    """The tests that docs/testing.md shows pass, each in a project of its own."""
    blocks = [block for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL) if "def test_" in block]
    for number, block in enumerate(blocks):
        pytester.makepyfile(**{f"test_guide_{number}": block})
    result = pytester.runpytest_subprocess(*WITHOUT)
    result.assert_outcomes(passed=len(blocks))


@pytest.mark.parametrize("name", ["fastapi", "flask", "django"])
def test_the_examples_pass_their_own_tests(pytester: pytest.Pytester, name: str) -> None:
    """Written with the kit, for applications as they are served in production."""
    pytest.importorskip(name)
    copied = pytester.mkdir("examples")
    for file in (f"{name}_app.py", f"test_{name}_app.py", "conftest.py"):
        shutil.copy(EXAMPLES / file, copied / file)
    result = pytester.runpytest_subprocess(*WITHOUT, "examples")
    result.assert_outcomes(passed=2 if name == "fastapi" else 1)
