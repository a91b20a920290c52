"""The command, whose modules are loaded when their command is called, and the importer behind it."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

hiddenimports = [*collect_submodules("antinode.cli"), *collect_submodules("antinode._importing")]
datas = collect_data_files("antinode.cli")
