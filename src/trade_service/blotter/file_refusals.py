"""Files that are refused as a whole, and the questions whose answers let them be read."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Self

import msgspec


class QuestionCode(StrEnum):
    """What a file leaves open; each code is stable."""

    SHEET = "SHEET"
    DECIMAL_SIGN = "DECIMAL_SIGN"
    DATE_ORDER = "DATE_ORDER"
    TIME_ZONE = "TIME_ZONE"
    COLUMN_OF_FIELD = "COLUMN_OF_FIELD"
    """Which of `columns` holds the one of `fields`."""
    FIELD_OF_COLUMN = "FIELD_OF_COLUMN"
    """Whether the one of `columns` holds the one of `fields`, or is to be left out."""
    MISSING_FIELDS = "MISSING_FIELDS"
    """Which of `columns` hold `fields`, or their value for all rows."""


class FileQuestion(msgspec.Struct, frozen=True):
    """What a person can choose so that a refused file is read."""

    code: QuestionCode
    reason: str
    """Why the file is refused, without what to do."""
    choices: Sequence[str] = ()
    """The values to choose from; empty where they are columns, or any value is possible."""
    fields: Sequence[str] = ()
    columns: Sequence[str] = ()
    """Columns of the file, as it spells them; the first `MOST_COLUMNS`."""


MOST_COLUMNS = 200


class FileRefused(Exception):
    """The file as a whole cannot be read without guessing; the message says why, and what to do."""

    def __init__(self, message: str, question: FileQuestion | None = None) -> None:
        super().__init__(message)
        self.question = question

    @classmethod
    def asking(
        cls, code: QuestionCode, reason: str, remedy: str, *, choices: Sequence[str] = (),
        fields: Sequence[str] = (), columns: Sequence[str] = (),
    ) -> Self:  # fmt: skip
        """A refusal that a choice settles; `remedy` names the options of the command."""
        question = FileQuestion(code, reason, choices, fields, columns[:MOST_COLUMNS])
        return cls(f"{reason}: {remedy}", question)


class FileRefusal(msgspec.Struct, frozen=True, tag="refused"):
    """A FileRefused as one process writes it to another."""

    rule: str
    question: FileQuestion | None = None

    @classmethod
    def of(cls, error: FileRefused) -> "FileRefusal":
        """The refusal of a file."""
        return cls(str(error), error.question)

    @property
    def error(self) -> FileRefused:
        """The refusal, to be raised."""
        return FileRefused(self.rule, self.question)
