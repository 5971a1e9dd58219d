"""What a check is and what it finds. Pure; used by every file in this room."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Generic, TypeVar

S = TypeVar("S")


class Result(StrEnum):
    """Only FAILED makes the exit code 1."""

    OK = "OK"
    WARNING = "Warning"
    FAILED = "Failed"
    NOT_CHECKED = "NotChecked"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, in words, and the next command where something has to be done."""

    result: Result
    words: str
    remedy: str = ""

    @property
    def is_good(self) -> bool:
        """Whether checks that need this one can be made."""
        return self.result in {Result.OK, Result.WARNING}


def ok(words: str) -> Finding:
    """As it should be."""
    return Finding(Result.OK, words)


def warning(words: str, remedy: str) -> Finding:
    """It works, and somebody should know."""
    return Finding(Result.WARNING, words, remedy)


def failed(words: str, remedy: str) -> Finding:
    """The operator cannot work like this."""
    return Finding(Result.FAILED, words, remedy)


def not_checked(words: str, remedy: str = "") -> Finding:
    """It could not be looked at, which says nothing about it."""
    return Finding(Result.NOT_CHECKED, words, remedy)


@dataclass(frozen=True, slots=True)
class Check(Generic[S]):
    """One check. `needs` are names of earlier ones: where one of them is not good, this one is not made.

    What `run` raises is a finding, too; `lasts` bounds it.
    """

    name: str
    run: Callable[[S], Awaitable[Finding]]
    needs: tuple[str, ...] = ()
    lasts: timedelta = field(default=timedelta(seconds=30))


@dataclass(frozen=True, slots=True)
class Line:
    """A check that was made or left out. `about` is "" for the cluster, else the account's name."""

    about: str
    check: str
    finding: Finding
    took: timedelta

    @property
    def title(self) -> str:
        """How a table names it."""
        return f"{self.about}: {self.check}" if self.about else self.check
