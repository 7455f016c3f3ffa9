"""What can go wrong, by type, and the numbers that the process ends with."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit statuses; the numbers from 65 up are those of sysexits.h."""

    NO_FAULT = 0
    FAULT = 1
    USAGE = 2
    UNDECIDED = 3
    NO_ERROR_BLOCK = 65
    NO_INPUT = 66
    SOFTWARE = 70
    NOT_WRITTEN = 74
    INTERRUPTED = 130


class DiagnoserError(Exception):
    """Anything this package raises on purpose.

    ``str()`` is one line in lower case without a full stop; ``hint`` names the next step;
    ``status`` is what the command line exits with.
    """

    status = ExitStatus.USAGE

    def __init__(
        self, message: str, *, hint: str | None = None, status: ExitStatus | None = None
    ) -> None:
        super().__init__(message)
        self.hint = hint
        if status is not None:
            self.status = status


class UsageError(DiagnoserError):
    """An option's value cannot be used."""


class InputError(DiagnoserError):
    """An input is missing, empty or unreadable."""

    status = ExitStatus.NO_INPUT


class OutputError(DiagnoserError):
    """A report could not be written."""

    status = ExitStatus.NOT_WRITTEN


class CatalogError(DiagnoserError):
    """A data file of the package is wrong; names the file and the key."""

    status = ExitStatus.SOFTWARE


class BlockSyntaxError(DiagnoserError):
    """A text does not follow the grammar.

    ``source``, ``line`` and ``column`` (both from 1) name the place, ``expected`` says in the
    reader's words what should stand there, ``text`` is the offending line.
    """

    status = ExitStatus.NO_ERROR_BLOCK

    def __init__(
        self,
        expected: str,
        *,
        source: str,
        line: int,
        column: int,
        text: str,
        hint: str | None = None,
    ) -> None:
        super().__init__(f"{source}:{line}:{column}: expected {expected}", hint=hint)
        self.expected = expected
        self.source = source
        self.line = line
        self.column = column
        self.text = text

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are copied between processes by their arguments, which are by keyword here.
        return _rebuild, (
            self.expected, self.source, self.line, self.column, self.text, self.hint,
        )  # fmt: skip

    def render(self) -> str:
        """The message, the line, and a caret under the column; the line is cut around the caret."""
        start = max(0, self.column - 60)
        shown = self.text[start : start + 100].replace("\t", " ")
        return f"{self}\n    {shown}\n    {' ' * (self.column - 1 - start)}^"


def _rebuild(
    expected: str, source: str, line: int, column: int, text: str, hint: str | None
) -> BlockSyntaxError:
    return BlockSyntaxError(expected, source=source, line=line, column=column, text=text, hint=hint)


class NameNotFound(OSError):
    """The resolver says that the host name does not exist (EAI_NONAME) or has no address."""


class NameLookupFailed(OSError):
    """The resolver gave no answer about the name (EAI_AGAIN, EAI_FAIL, or our own deadline)."""
