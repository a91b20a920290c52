"""`antinode doctor --migrate`: reads code, runs none of it, and says line by line what to change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from antinode.cli.doctor.migration.scan import Step, read
from tests.cli.nursery import run


def steps(tmp_path: Path, **files: str) -> list[Step]:
    """What to change in a code base of these files; `__` stands for a slash."""
    for name, text in files.items():
        path = tmp_path / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return read(tmp_path).steps


def writes(tmp_path: Path, **files: str) -> list[str]:
    return [step.write for step in steps(tmp_path, **files)]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from amplitude import Amplitude, BaseEvent", "from antinode.amplitude import Amplitude, BaseEvent"),
        ("from amplitude import Config as C", "from antinode.amplitude import Config as C"),
        ("import amplitude", "import antinode.amplitude as amplitude"),
        ("import amplitude as amp", "import antinode.amplitude as amp"),
        ("import amplitude.constants as k", "import antinode.amplitude.constants as k"),
        ("from amplitude.plugin import EventPlugin", "from antinode.amplitude.plugin import EventPlugin"),
        ("import amplitude_ai", "import antinode.amplitude; antinode.amplitude.install()"),
        ("from amplitude_experiment import x", "import antinode.amplitude; antinode.amplitude.install()"),
        (
            "patch('amplitude.http_client.HttpClient.post')",
            "'antinode.amplitude.http_client.HttpClient.post'",
        ),
        ("from amplitude.processor import ResponseProcessor", ""),
        ("from amplitude.worker import Workers", ""),
        ("Config(storage_provider=Own())", ""),
    ],
)
def test_the_official_sdk(tmp_path: Path, code: str, expected: str) -> None:
    """Its imports change, also in the texts of patches; what has no counterpart is named."""
    (step,) = steps(tmp_path, program=code)
    assert (step.write, step.line, step.sdk) == (expected, 1, "amplitude-analytics")
    assert expected or step.note


@pytest.mark.parametrize(
    "code",
    [
        "from antinode.amplitude import Amplitude",
        "from .amplitude import Amplitude",
        "from amplitudes import x",
        "import antinode",
        "client.track('user', 'event')",
        "analytics.track('user', 'event')",
        "track('user', 'event')",
        "Config(storage_provider=None)",
        "print('amplitude')",
    ],
)
def test_what_is_left_alone(tmp_path: Path, code: str) -> None:
    """Code of others, and what has been changed already."""
    assert steps(tmp_path, program=code) == []


@pytest.mark.parametrize(
    "code",
    [
        "import posthog\nposthog.capture('A', distinct_id='u')",
        "import posthog as ph\nph.capture('A', distinct_id='u')",
        "from posthog import capture\ncapture('A', distinct_id='u')",
        "from posthog import capture as log\nlog('A', distinct_id='u')",
        "from posthog import Posthog\nph = Posthog('K')\nph.capture('A', distinct_id='u')",
        "import posthog\nph: posthog.Posthog = make()\nph.capture('A', distinct_id='u')",
        "from posthog import Posthog\ndef f(ph: Posthog):\n    ph.capture('A', distinct_id='u')",
        "from posthog import Posthog\nwith Posthog('K') as ph:\n    ph.capture('A', distinct_id='u')",
        "from posthog import Posthog\nclass V:\n    def __init__(self):\n        self.ph = Posthog('K')\n"
        "    def go(self):\n        self.ph.capture('A', distinct_id='u')",
        "async def f():\n    import posthog\n    posthog.capture('A', distinct_id='u')",
    ],
)
def test_ways_to_a_client(tmp_path: Path, code: str) -> None:
    """A call is found whatever it is called through, with the line that it begins on."""
    last = steps(tmp_path, program=code)[-1]
    assert last.write == "client.log_event({'event_type': 'A', 'user_id': 'u'})"
    assert last.line == code.count("\n") + 1


def test_a_client_of_another_file(tmp_path: Path) -> None:
    """One file makes it, others import it, by a whole or a relative name."""
    found = steps(
        tmp_path,
        shop__tracking="from mixpanel import Mixpanel\nmp = Mixpanel('K')",
        shop__views="from shop.tracking import mp\nmp.track('u', 'A')",
        shop__jobs="from .tracking import mp as m\nm.track('u', 'B')",
        other__views="from other.tracking import mp\nmp.track('u', 'C')",
    )
    assert [(step.path, step.line) for step in found if "track(" in step.found] == [
        ("shop/jobs.py", 2),
        ("shop/views.py", 2),
    ]


def test_a_module_of_ones_own_named_analytics(tmp_path: Path) -> None:
    """It is not Segment's, whose package once had that name."""
    code = "import analytics\nanalytics.track('u', 'A')"
    assert writes(tmp_path, program=code)[-1] == "client.log_event({'event_type': 'A', 'user_id': 'u'})"
    assert writes(tmp_path, program=code, shop__analytics="def track(user, event): ...") == []


def test_what_is_spread_into_a_call_is_named(tmp_path: Path) -> None:
    """What cannot be known from the code is left to the reader."""
    code = "import posthog\nposthog.capture('A', **more)"
    step = steps(tmp_path, program=code)[-1]
    assert step.write == "client.log_event({'event_type': 'A'})"
    assert "spread" in step.note


def test_other_peoples_code_is_not_read(tmp_path: Path) -> None:
    """Nor are hidden directories and virtual environments, by whatever name."""
    for folder in (".venv", "node_modules", "lib/site-packages", "own-env"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "module.py").write_text("import posthog")
    (tmp_path / "own-env" / "pyvenv.cfg").write_text("")
    assert steps(tmp_path, program="import posthog") == [
        Step(
            "program.py",
            1,
            1,
            "posthog",
            "import posthog",
            "import antinode",
            "",
            "docs/migrating-posthog.md",
        )
    ]


def test_nothing_is_run(tmp_path: Path) -> None:
    """Whatever the code would do, and whatever it warns of."""
    (tmp_path / "program.py").write_text("import posthog\nraise SystemExit(7)\nopen('made', 'w')\n'\\d'\n")
    done = run("doctor", "--migrate", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == ""
    assert not list(Path.cwd().glob("made"))


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """And costs the other files nothing."""
    (tmp_path / "bad.py").write_text("def (:")
    (tmp_path / "binary.py").write_bytes(b"\x00\xff")
    (tmp_path / "deep.py").write_text("x = " + "(" * 500 + ")" * 500)
    (tmp_path / "good.py").write_text("import posthog")
    reading = read(tmp_path)
    assert [file.path for file in reading.unread] == ["bad.py", "binary.py", "deep.py"]
    assert all(file.why for file in reading.unread)
    assert [step.path for step in reading.steps] == ["good.py"]


def test_the_command(tmp_path: Path) -> None:
    """One file or a directory; text for people, and JSON; 1 where there is something to change."""
    program = tmp_path / "program.py"
    program.write_text(
        "import posthog\nposthog.capture('A', distinct_id='u')\nposthog.feature_enabled('f', 'u')"
    )
    done = run("doctor", "--migrate", str(program))
    assert done.returncode == 1
    assert "program.py:2  posthog.capture('A', distinct_id='u')" in done.stdout
    assert "→ client.log_event({'event_type': 'A', 'user_id': 'u'})" in done.stdout
    assert "amplitude-experiment" in done.stdout
    assert "3 places to change in 1 file: 3 of posthog. See docs/migrating-posthog.md." in done.stdout
    said: dict[str, Any] = json.loads(run("doctor", "--migrate", str(tmp_path), "--json").stdout)
    assert (said["ok"], said["files"], said["unread"]) == (False, 1, [])
    assert [(change["path"], change["line"]) for change in said["changes"]] == [
        *(("program.py", line) for line in (1, 2, 3))
    ]
    program.write_text("import antinode")
    done = run("doctor", "--migrate", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "Nothing to change in 1 file.\n")
    assert run("doctor", "--migrate", str(tmp_path / "missing")).returncode == 2
