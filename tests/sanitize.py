"""`python -m tests.sanitize`: the compiled parts under GCC's sanitizers of addresses and undefined behaviour.

Builds them into a folder of their own, with a copy of the package around, and runs what is about them there:
their tests, the encoder's, and the fuzz. Arguments go to the fuzz. Linux only.
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
FOLDER = ROOT / ".sanitize"
FLAGS = ("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
TESTS = ("tests/test_native.py", "tests/encoding")


def build() -> None:
    """A copy of the package with compiled parts that watch themselves."""
    package = FOLDER / "antinode"
    ignored = shutil.ignore_patterns("_native*", "__pycache__")
    shutil.copytree(ROOT / "src" / "antinode", package, ignore=ignored, dirs_exist_ok=True)
    compile_native(ROOT, package, FLAGS)


def environment() -> dict[str, str]:
    library = subprocess.run(
        [needs.program("gcc"), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return {
        **os.environ,
        "LD_PRELOAD": library,
        "PYTHONPATH": str(FOLDER),
        # Python's own allocator would hide what is freed, and it frees nothing at its end.
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def main(fuzz: list[str]) -> int:
    build()
    python = sys.executable
    for command in (
        [python, "-c", "from antinode import _speedups; assert '.sanitize' in _speedups.native.__file__"],
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
        [python, "-m", "tests.fuzz_native", *fuzz],
    ):
        done = subprocess.run(command, cwd=ROOT, env=environment(), check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
