"""`python -m tests.variants sanitized|sanitized-quick|portable`: the compiled parts' tests on another build.

`sanitized` is built with GCC's sanitizers of addresses and undefined behaviour; its fuzz takes the arguments
that follow. `sanitized-quick` runs the tests of the compiled parts alone, and the fuzz for a quarter of a
minute: a minute of CPU at most. `portable` does without what Linux alone has, as the builds for other systems
do. Each is built into a folder of its own, with a copy of the package around. Linux only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from hatch_build import compile_native

from tests import needs

ROOT = Path(__file__).parent.parent
SANITIZED = (
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)
PORTABLE = ("-DANTINODE_PORTABLE",)
OF_NATIVE = ("tests/native", "tests/test_speedups.py", "tests/encoding")
# What counts blocks of memory, or builds once more, says nothing here.
QUICK = ("tests/native", "-n", "0", "-k", "not leak and not hook and not collected")
QUICK_FUZZ = ("--seconds", "15", "--seed", "1")
CHECK = "from antinode import _speedups; assert '.variants' in _speedups.native.__file__"


def build(folder: Path, flags: tuple[str, ...]) -> dict[str, str]:
    """A copy of the package with its compiled parts. Returns the environment in which it is imported."""
    package = folder / "antinode"
    ignored = shutil.ignore_patterns("_native*", "__pycache__")
    shutil.copytree(ROOT / "src" / "antinode", package, ignore=ignored, dirs_exist_ok=True)
    compile_native(ROOT, package, flags)
    return {**os.environ, "PYTHONPATH": str(folder)}


def for_sanitizers() -> dict[str, str]:
    command = [needs.program("gcc"), "-print-file-name=libasan.so"]
    return {
        "LD_PRELOAD": subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip(),
        # Python's own allocator would hide what is freed, and it frees nothing at its end.
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def main(variant: str, *fuzz: str) -> int:
    kind, _, is_quick = variant.partition("-")
    folder = ROOT / ".variants" / kind
    pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    if kind == "sanitized":
        environment = {**build(folder, SANITIZED), **for_sanitizers()}
        tests, bounds = (QUICK, QUICK_FUZZ) if is_quick else (OF_NATIVE, ())
        runs = [[*pytest, *tests], ["-m", "tests.fuzz_native", *bounds, *fuzz]]
    else:
        environment = build(folder, PORTABLE)
        runs = [[*pytest, *OF_NATIVE, "tests/lifecycle/test_fork.py", *fuzz]]
    for arguments in [["-c", CHECK], *runs]:
        done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
