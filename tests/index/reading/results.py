"""What a file gives when it is read in this process, as far as a test asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from index.article import Article
from index.reading import Given, Reading, ReadProblem, Result
from index.reading.child import read_here

Write = Callable[..., Path]

# A paragraph as a mail or a plain text file lays it out: lines kept below 70 characters.
WRAPPED = (
    "The harbour board of Norwick voted on Thursday to sell the old dry\n"
    "dock, which has stood empty for nine years. Its head, Ida Holm, said\n"
    "that the sale would bring the town no less than\n"
    "3 million euros. The boat builder, Omar Reza, said that nobody had\n"
    "told him.\n"
)
FLOWING = " ".join(WRAPPED.split("\n")).strip() + "\n"


def results(path: Path, given: Given | None = None) -> list[Result]:
    return [result for _, result in read_here(path, given or Given(), str(path))]


def readings(path: Path, given: Given | None = None) -> list[Reading]:
    read = results(path, given)
    assert all(isinstance(each, Reading) for each in read), read
    return read  # type: ignore[return-value]


def reading(path: Path, given: Given | None = None) -> Reading:
    (only,) = readings(path, given)
    return only


def article(path: Path, given: Given | None = None) -> Article:
    return reading(path, given).article


def articles(path: Path, given: Given | None = None) -> list[Article]:
    return [each.article for each in readings(path, given)]


def problem(path: Path, given: Given | None = None) -> ReadProblem:
    (only,) = results(path, given)
    assert isinstance(only, ReadProblem), only
    return only
