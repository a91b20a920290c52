"""The SDK: its modules are loaded by name when they are first used, the compiled part too."""

from PyInstaller.utils.hooks import collect_submodules

# What is packed by hooks of its own, where the application imports it, or is found by its imports.
_APART = tuple(
    f"antinode.{name}"
    for name in (
        "__main__",
        "_importing",
        "_pyinstaller",
        "amplitude",
        "cli",
        "integrations",
        "middleware",
        "outbox",
        "plan",
        "server",
        "testing",
    )
)


def _is_of_the_sdk(name: str) -> bool:
    return not name.startswith(_APART)


hiddenimports = [*collect_submodules("antinode", filter=_is_of_the_sdk), "isal.isal_zlib"]
