"""The ready-made middleware, whose modules are loaded when they are first used."""

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = collect_submodules("antinode.middleware")
