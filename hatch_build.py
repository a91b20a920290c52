"""The build's hook: compiles `native/` into the package where there is a C compiler; does without elsewhere.

`ANTINODE_PURE_PYTHON=1` builds without it; `ANTINODE_REQUIRE_NATIVE=1` fails where it cannot be built.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = (
    "native/admission.c",
    "native/answer.c",
    "native/chain.c",
    "native/clocks.c",
    "native/complete.c",
    "native/context.c",
    "native/counts.c",
    "native/crc.c",
    "native/event.c",
    "native/fork.c",
    "native/frames.c",
    "native/guard.c",
    "native/held.c",
    "native/ids.c",
    "native/inert.c",
    "native/json.c",
    "native/lead.c",
    "native/log.c",
    "native/method.c",
    "native/module.c",
    "native/loops.c",
    "native/recovered.c",
    "native/stored.c",
    "native/texts.c",
    "native/typed.c",
    "native/wire.c",
)


class NativeHook(BuildHookInterface[Any]):
    """For wheels, editable ones included; a source distribution carries the sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's interface
        if self.target_name != "wheel" or not _is_wanted():
            return
        try:
            built = compile_native(Path(self.root))
        except (Exception, SystemExit) as error:  # distutils has errors of many kinds, and leaves by some
            if os.environ.get("ANTINODE_REQUIRE_NATIVE"):
                raise
            self.app.display_warning(f"installed without the compiled parts, which are optional: {error}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"].append(str(built.relative_to(self.root)))


def _is_wanted() -> bool:
    if os.environ.get("ANTINODE_PURE_PYTHON"):
        return False
    # The sources say why they need CPython's GIL.
    return sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")


def compile_native(root: Path, into: Path | None = None, flags: tuple[str, ...] = ()) -> Path:
    """Compile in place, as editable installs need it, or into another package; returns the library's path.

    `flags` are for the compiler and the linker, beside the usual ones.
    """
    from setuptools import Distribution, Extension  # noqa: PLC0415 - not needed without a compiler
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415 - the same

    os.chdir(root)
    package = into or root / "src" / "antinode"
    built = package / f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
    newest = max(path.stat().st_mtime for path in [*Path("native").iterdir(), Path(__file__)])
    if built.exists() and built.stat().st_mtime > newest:
        return built
    extension = Extension(
        f"{package.name}._native",
        list(SOURCES),
        depends=[str(header) for header in Path("native").glob("*.h")],
        extra_compile_args=[] if sys.platform == "win32" else ["-O3", "-g0", *flags],
        extra_link_args=list(flags),
    )
    distribution = Distribution({"name": "antinode", "ext_modules": [extension]})
    command = build_ext(distribution)
    command.build_lib = str(package.parent)
    with tempfile.TemporaryDirectory() as objects:
        command.build_temp = objects
        command.ensure_finalized()
        command.run()
    return built
