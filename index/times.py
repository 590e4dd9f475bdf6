"""When a question means: "this week", "in April", "latest", "as of 2024" → days, against the day it was asked.

A hint is a soft preference for articles of those days, never a filter: an article of last week may well tell of April.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

_MONTHS = "|".join(name for n in range(1, 13) for name in (calendar.month_name[n], rf"{calendar.month_abbr[n]}\.?"))
_WEEKDAYS = "|".join(calendar.day_name)
_YEAR = r"(?:19|20)\d\d"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_COUNT = r"(?:\d{1,3}|two|three|four|five|six|seven|eight|nine|ten|few|couple of)"

# Absolute dates, the longest first; "may" and "march" only with a capital, as a month is written.
_ABSOLUTE = (
    rf"\b{_YEAR}-\d\d-\d\d\b",
    rf"\b(?:{_MONTHS}) {_DAY},? {_YEAR}\b",
    rf"(?<![\d.,]){_DAY}(?: of)? (?:{_MONTHS})(?:,? {_YEAR})?\b",
    rf"\b(?:{_MONTHS}) {_DAY}\b(?! ?%| percent)",
    rf"\b(?:{_MONTHS}),? {_YEAR}\b",
    rf"(?<=\bin )(?:{_MONTHS})\b|(?<=\b(?:last|this) )(?:{_MONTHS})\b|(?<=\bsince )(?:{_MONTHS})\b",
    rf"\b{_YEAR}\b",
)
_RELATIVE = (
    r"\b(?:this|last|past|previous|next) (?:week|month|year|weekend)\b",
    r"\b(?:yesterday|today|tonight)\b",
    rf"\b(?:{_COUNT}) (?:days?|weeks?|months?|years?) ago\b",
    rf"\b(?:in |over |during )?the (?:last|past) (?:{_COUNT} )?(?:days?|weeks?|months?|years?)\b",
    rf"\b(?:this |last |on )(?:{_WEEKDAYS})\b",
)
_NEWEST = re.compile(
    r"\b(?:latest|newest|most recent(?:ly)?|recent(?:ly)?|currently|right now|so far|nowadays)\b", re.IGNORECASE
)
_DATED = re.compile("|".join(f"(?:{pattern})" for pattern in _ABSOLUTE))
_SAID = re.compile("|".join(f"(?:{pattern})" for pattern in _RELATIVE), re.IGNORECASE)
_UNTIL = re.compile(r"\b(?:until|up to|by|as of|no later than)(?: the end of)? $", re.IGNORECASE)
_BEFORE = re.compile(r"\b(?:before|prior to) $", re.IGNORECASE)
_SINCE = re.compile(
    r"\b(?:since|after|starting(?: from)?|from(?= the))(?: the (?:start|beginning) of)? $", re.IGNORECASE
)
_TO = re.compile(r" (?:and|to|until|till|through|[-–]) ", re.IGNORECASE)
_BETWEEN = re.compile(r"\b(?:between|from) $", re.IGNORECASE)
# "from May 2024" alone is that month: an article from May came out in it.
_ONWARD = re.compile(
    r",? (?:onwards?\b|on(?=\W*$|[,;.?!])|(?:and|to|until|till|through|up to) (?:now|today|the present)\b)",
    re.IGNORECASE,
)
_FIXED_COUNTS = {"few": "3", "couple of": "2"}
RECENT_DAYS = 30  # what "recently" and "latest" reach back


@dataclass(frozen=True, slots=True)
class TimeHint:
    """What a question says about when.

    `phrase` stands so in the question; `first` and `last` are the days it means, both included; an open side is None.
    """

    phrase: str
    first: date | None
    last: date | None

    def days_off(self, day: date) -> int:
        """How many days `day` lies outside; 0 inside."""
        if self.first and day < self.first:
            return (self.first - day).days
        if self.last and day > self.last:
            return (day - self.last).days
        return 0

    def in_words(self) -> str:
        """How the phrase was read, for whoever asked."""
        if self.first == self.last and self.first:
            days = f"{self.first:%-d %B %Y}"
        elif self.first and self.last:
            days = f"{self.first:%-d %B %Y} to {self.last:%-d %B %Y}"
        else:
            days = f"from {self.first:%-d %B %Y}" if self.first else f"until {self.last:%-d %B %Y}"
        return f"“{self.phrase}” is read as {days}; articles of that time are preferred."

    def to_json(self) -> dict[str, str]:
        return {
            "phrase": self.phrase,
            "from": self.first.isoformat() if self.first else "",
            "to": self.last.isoformat() if self.last else "",
        }


@lru_cache(maxsize=4)  # the search and whoever shows the hint ask for it, and two may ask at once
def time_hint(question: str, asked: str = "") -> TimeHint | None:
    """The days that a question means, or None if it does not say, or means days before the first or after the last.

    Args:
        asked: the ISO date it was asked on; without it only full dates can be understood.
    """
    try:
        return _hint(question, parse_day(asked))
    except OverflowError:  # from the first days of year 1 one can't go back, nor on from the last of 9999
        return None


def _hint(question: str, today: date | None) -> TimeHint | None:
    if (match := _DATED.search(question)) and (span := _span(match.group(), today)):
        return _bounded(question, match, span, today)
    if today is None:
        return None
    if (match := _SAID.search(question)) and (span := _relative(match.group(), today)):
        return _bounded(question, match, span, today)
    if match := _NEWEST.search(question):
        return TimeHint(match.group(), today - timedelta(days=RECENT_DAYS), today)
    return None


def parse_day(text: str) -> date | None:
    """The first day of an ISO date that may stop at the year or the month; None for none, or for no date."""
    parts = text[:10].split("-")
    try:
        numbers = [int(part) for part in parts]
        return date(*[*numbers, 1, 1][:3])
    except (ValueError, TypeError):
        return None


def day_in_words(day: str) -> str:
    """An ISO date that may stop at the year or the month as one reads it: 6 July 2021, July 2021, 2021."""
    parsed = parse_day(day)
    return parsed.strftime(("%Y", "%B %Y", "%-d %B %Y")[min(2, day[:10].count("-"))]) if parsed else day


def is_newer(published: str, than: str) -> bool:
    """Whether one ISO date is later than another for certain; a month is not later than a day in it."""
    return bool(published and than) and published > than and not published.startswith(than)


def _bounded(question: str, match: re.Match[str], span: tuple[date, date], today: date | None) -> TimeHint:
    """Widen the days to the side that the words around the phrase name."""
    first, last = span
    before, phrase = question[: match.start()], match.group()
    if word := _BETWEEN.search(before):
        to = _TO.match(question, match.end())
        other = _DATED.match(question, to.end()) if to else None
        end = _span(other.group(), today) if other else None
        if other and end:
            return TimeHint(question[word.start() : other.end()], first, max(last, end[1]))
        if on := _ONWARD.match(question, match.end()):
            return TimeHint(question[word.start() : on.end()], first, today)
    if word := _BEFORE.search(before):
        return TimeHint(word.group() + phrase, None, first - timedelta(days=1))
    if word := _UNTIL.search(before):
        return TimeHint(word.group() + phrase, None, last)
    if word := _SINCE.search(before):
        return TimeHint(word.group() + phrase, first, today)
    return TimeHint(phrase, first, last)


def _relative(phrase: str, today: date) -> tuple[date, date] | None:
    words = phrase.lower()
    if match := re.search(rf"\bthe (?:last|past) (?:({_COUNT}) )?(day|week|month|year)s?\b", words):
        count = match[1] or "1"
        span = _span(f"{_FIXED_COUNTS.get(count, count)} {match[2]}s ago", today)
        return (span[0], today) if span else None
    if words.endswith("weekend"):
        saturday = today - timedelta(days=(today.weekday() - 5) % 7)
        return (saturday, saturday + timedelta(days=1))
    for name, digits in _FIXED_COUNTS.items():
        words = words.replace(name, digits)
    return _span(
        re.sub(r"^(?:this|on) (?=[a-z]+day\b)", "", words.replace("past ", "last ").replace("previous ", "last ")),
        today,
    )


def _span(phrase: str, today: date | None) -> tuple[date, date] | None:
    """First and last day of what dateparser makes of a phrase."""
    if today is None and not re.search(_YEAR, phrase):
        return None
    base = datetime.combine(today or date(2000, 1, 1), datetime.min.time())
    data = _parser(base).get_date_data(phrase)
    if data is None or data.date_obj is None:
        return None
    day, period = data.date_obj.date(), data.period
    if period == "year":
        return date(day.year, 1, 1), date(day.year, 12, 31)
    if period == "month":
        return day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])
    if period == "week":  # "this week" on a Friday is mostly the days before it, so seven days back and not Monday
        return day - timedelta(days=6), day
    return day, day


@lru_cache(maxsize=8)
def _parser(base: datetime) -> Any:
    from dateparser.date import DateDataParser

    return DateDataParser(
        languages=["en"],
        settings={"RELATIVE_BASE": base, "PREFER_DATES_FROM": "past", "PREFER_DAY_OF_MONTH": "first"},
    )
