"""What keeps an import from beginning or from going on, and a row from becoming an event.

ImportTrouble
├── BadMapping    what was said about the columns cannot be understood: write it differently
├── NotReadable   a file cannot be read, or not as the format it should be: mend it, or leave it out
│   └── Damaged   from some byte on it is not what it should be; the rows before are, and so are other files
├── NotInstalled  a format needs a package that an extra brings
├── CannotResume  the checkpoint belongs to something else, or another process is at it
├── Unclear       the files do not tell what is to become of them: say it with options
└── Halted        the server takes nothing, so that going on is of no use: run it again later
"""

from __future__ import annotations


class ImportTrouble(Exception):
    """An import cannot begin or go on. The message says why, and what to do."""


class BadMapping(ImportTrouble):
    """A mapping cannot be understood."""


class NotReadable(ImportTrouble):
    """A file is not there, is damaged, or is not what it should be."""


class Damaged(NotReadable):
    """A file is cut off or damaged. What was read before is good."""


class NotInstalled(ImportTrouble):
    """A package is missing."""

    def __init__(self, what: str, module: str) -> None:
        super().__init__(what, module)
        self.what, self.module = what, module

    def __str__(self) -> str:
        return f'{self.what} needs {self.module}, which an extra brings: pip install "antinode[import]"'


class CannotResume(ImportTrouble):
    """An import cannot be resumed from its checkpoint."""


class Unclear(ImportTrouble):
    """The files do not show how rows become events. The message shows the options that would say so."""


class Halted(ImportTrouble):
    """The import stopped before its end, by itself. What is settled is in the checkpoint."""


class Unmappable(ValueError):
    """A row that the mapping makes no event of; the message says why."""


class LeftOut(Exception):
    """A row that is not meant to become an event. The message says why, if it is worth knowing."""
