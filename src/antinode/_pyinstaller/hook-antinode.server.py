"""The local Amplitude: its modules, and the files of its page."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

hiddenimports = collect_submodules("antinode.server")
datas = collect_data_files("antinode.server")
