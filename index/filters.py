"""Which articles a question may be answered from: hard filters that a person sets, unlike what its words prefer."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from index.errors import QuestionError
from index.times import parse_day

_APOSTROPHES = str.maketrans("’‘ʼ`´", "'''''")
_DATE = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Filters:
    """Only articles that fit every filter that is set; within one, any of its values will do.

    `sources` and `authors` are compared as `as_filtered` spells them; `articles` are ids. `since` and `until` are ISO
    dates, both included, that may stop at the year or the month. An undated article fits neither of the two.

    Raises:
        QuestionError: a date that is none, or a span that ends before it begins.
    """

    sources: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    articles: tuple[str, ...] = ()
    since: str = ""
    until: str = ""

    def __post_init__(self) -> None:
        for name, value in (("since", self.since), ("until", self.until)):
            if value and not (_DATE.fullmatch(value) and parse_day(value)):
                raise QuestionError(f"The filter {name} is {value!r}; write a date as 2025, 2025-07 or 2025-07-27.")
        shared = min(len(self.since), len(self.until))
        if self.since[:shared] > self.until[:shared]:
            raise QuestionError(f"No article can be from {self.since} or later and from {self.until} or earlier.")

    def __bool__(self) -> bool:
        return bool(self.sources or self.authors or self.articles or self.since or self.until)

    def __str__(self) -> str:
        said = [
            f"{name} {' or '.join(values)}"
            for name, values in (("source", self.sources), ("author", self.authors), ("article", self.articles))
            if values
        ]
        said += [f"{name} {value}" for name, value in (("since", self.since), ("until", self.until)) if value]
        return ", ".join(said)


def as_filtered(name: str) -> str:
    """A name as filters compare it, without regard to case, spaces, kinds of apostrophes and coding of characters."""
    return " ".join(unicodedata.normalize("NFKC", name).translate(_APOSTROPHES).casefold().split())
