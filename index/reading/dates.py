"""A date as somebody wrote it → an ISO date, where it is whole, real and unambiguous; nothing is guessed.

Understands ISO 8601, the dates of mails and feeds, and a day, a month as a word and a year, in the languages below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from email.utils import parsedate_to_datetime
from functools import lru_cache

from babel.dates import get_day_names, get_month_names

FORM = "2025-07-27, 2025-07 or 2025"
_LANGUAGES = "en de fr es it pt nl pl ru uk cs sv da nb fi hu ro tr id el ca".split()
_ISO = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_TIME = re.compile(r"[T ]\d{1,2}:\d{2}[\d:.,]*\s*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})?|T?", re.ASCII)
_BASIC = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T\d{4,6}(?:\.\d+)?Z?)?", re.ASCII)
_EAST_ASIAN = re.compile(r"(\d{4})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日일]", re.ASCII)
_WEEKDAY = r"(?:(?P<weekday>[^\W\d_]{2,13}(?:-feira)?)\.?,? )?"
_MONTH = r"(?:d[e’'] ?)?(?P<month>[^\W\d_]{3,12})\.?"
_YEAR = r"(?P<year>\d{4})"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|\.)?"
_DAY_FIRST = re.compile(rf"{_WEEKDAY}{_DAY} {_MONTH},? (?:de )?{_YEAR}(?: г\.| р\.)?")
_MONTH_FIRST = re.compile(rf"{_WEEKDAY}{_MONTH} {_DAY},? {_YEAR}")
_MONTH_ONLY = re.compile(rf"{_MONTH},? (?:de )?{_YEAR}")
_MAIL = re.compile(r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}", re.ASCII)
_NUMBERS = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})", re.ASCII)
_LATER = re.compile(
    r"[,;]? (?:um |at |à |kl\. )?\d{1,2}[:.h]\d{2}(?: ?[ap]\.?m\.?)?(?: [A-Z]{2,4}| Uhr)?$", re.IGNORECASE
)


def iso_date(text: str) -> str:
    """The ISO date, of whatever precision is given; a time of day is cut off. "" for what is no whole date."""
    return _iso(text) or _basic(text) or in_words(text) or _of_mail(text)


def in_words(text: str) -> str:
    """The ISO date of a day whose month is a word, "" for none: 4 March 2025, 8. November 2024, 3 juillet 2025."""
    text = _LATER.sub("", text)
    for pattern in (_DAY_FIRST, _MONTH_FIRST, _MONTH_ONLY):
        if match := pattern.fullmatch(text):
            found = match.groupdict()
            if (weekday := found.get("weekday")) and weekday.lower() not in _weekdays():
                return ""
            month = _months().get(found["month"].lower())
            return _checked(found["year"], month, found.get("day")) if month else ""
    if match := _EAST_ASIAN.fullmatch(text):
        return _checked(*match.groups())
    return ""


def of_column(texts: Iterable[str]) -> dict[str, str]:
    """The ISO dates of a table's column, by how they are written, of those that need the others to be understood.

    04/15/2024 tells that the month comes first in all of them; with dots the day does. Where neither is told, they
    have no date.
    """
    found = {text: match for text in texts if (match := _NUMBERS.fullmatch(text.strip()))}
    orders = [order for order in ((1, 3), (3, 1)) if all(_at(match, order) for match in found.values())]
    dotted = found and all(match[2] == "." for match in found.values())
    if dotted and (1, 3) in orders:
        orders = [(1, 3)]
    return {text: _at(match, orders[0]) if len(orders) == 1 else "" for text, match in found.items()}


def _at(match: re.Match[str], order: tuple[int, int]) -> str:
    return _checked(match[4], match[order[1]], match[order[0]])


@lru_cache(maxsize=1)
def _months() -> dict[str, int]:
    """What months are called, and the number of each; without names that are different months in two languages."""
    named: dict[str, set[int]] = {"sept": {9}}
    for language in _LANGUAGES:
        for width in ("wide", "abbreviated"):
            for context in ("format", "stand-alone"):
                for number, name in get_month_names(width, context, language).items():
                    named.setdefault(name.lower().rstrip("."), set()).add(number)
    return {name: min(numbers) for name, numbers in named.items() if len(numbers) == 1}


@lru_cache(maxsize=1)
def _weekdays() -> frozenset[str]:
    return frozenset(
        name.lower().rstrip(".")
        for language in _LANGUAGES
        for names in (get_day_names("wide", "format", language), get_day_names("abbreviated", "format", language))
        for name in names.values()
    )


def _iso(text: str) -> str:
    match = _ISO.match(text)
    if not match or not (match.end() == len(text) or (match[3] and _TIME.fullmatch(text, match.end()))):
        return ""
    return _checked(match[1], match[2], match[3])


def _basic(text: str) -> str:
    match = _BASIC.fullmatch(text)
    return _checked(*match.groups()) if match else ""


def _of_mail(text: str) -> str:
    if not _MAIL.match(text):
        return ""
    try:
        return parsedate_to_datetime(text).date().isoformat()
    except ValueError:
        return ""


def _checked(year: str, month: str | int | None, day: str | None) -> str:
    """The ISO date of these parts, "" where there is no such day."""
    try:
        found = date(int(year), int(month or 1), int(day or 1)).isoformat()
    except ValueError:
        return ""
    return found if day else found[:7] if month else found[:4]
