"""The tracking plan: its modules, and the schema of its files."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

hiddenimports = [*collect_submodules("antinode.plan"), "yaml"]
datas = collect_data_files("antinode.plan")
