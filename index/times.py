"""When a question means: "this week", "in April", "latest", "as of 2024" → days, against the day it was asked.

A hint is a soft preference for articles of those days, never a filter: an article of last week may well tell of April.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

RECENT_DAYS = 30  # what "recently" and "latest" reach back
# From the day of the question: a bare number in between may be a year without a preposition.
_YEARS_BACK, _YEARS_ON = 15, 5
_MONTH_NUMBER = {
    name.lower(): n for names in (calendar.month_name, calendar.month_abbr) for n, name in enumerate(names)
}
_MONTH_NUMBER["sept"] = 9
_SURE = (
    r"jan(?:uary)?|feb(?:ruary)?|apr(?:il)?|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?"
)
_MONTH = rf"(?:(?i:{_SURE})|Mar(?:ch)?|May)\b\.?"  # "may" and "march" are words of their own
_ANY_MONTH = rf"(?i:{_SURE}|mar(?:ch)?|may)\b\.?"
_WEEKDAYS = [name.lower() for name in calendar.day_name]
_WEEKDAY = rf"(?:{'|'.join(_WEEKDAYS)})"
_YEAR = r"(?:19|20)\d\d"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?"
_DASH = r"\s?[-–—]\s?"
_UP_TO = rf"(?:{_DASH}| (?:to|and|until|till|through) )"
_COUNTS = {
    word: n for n, word in enumerate("one two three four five six seven eight nine ten eleven twelve".split(), start=1)
} | {"a": 1, "an": 1, "few": 3, "a few": 3, "couple of": 2, "a couple of": 2, "": 1}
_COUNT = r"(?:\d{1,3}|a few|few|(?:a )?couple of|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_UNIT = r"(?:day|week|month|year)s?"

# One date: a day, a month or a year, the longest forms first. No sign of money or of a larger number may touch it.
_DATE = re.compile(
    rf"(?<![\w$€£¥₹#.,/])(?<!(?<!mid)(?<!arly)(?<!late)-)(?:"
    rf"(?P<y1>{_YEAR})(?P<sep>[-/.])(?P<m1>\d\d?)(?P=sep)(?P<d1>\d\d?)"
    rf"|(?P<y2>{_YEAR})[-/](?P<m2>0[1-9]|1[0-2])"
    rf"|(?P<d3>{_DAY})(?: of)? (?P<n3>{_ANY_MONTH})(?:,? (?P<y3>{_YEAR}))?"
    rf"|(?P<n4>{_MONTH}) (?P<d4>{_DAY})(?!\d|:|{_DASH}\d)(?:,? (?P<y4>{_YEAR}))?(?! ?%| per ?cent)"
    rf"|(?P<n5>{_ANY_MONTH})(?: of|,)? (?P<y5>{_YEAR})"
    rf"|(?P<n6>{_MONTH})"
    rf"|(?P<y7>{_YEAR})"
    rf")(?![\w%]|[-/]\d|[.,]\d)"
)
# Days of one month, a span of years: 3–5 May 2025, May 3 to 5, 2020–22.
_DAYS = re.compile(
    rf"(?<![\w.,/-])(?:(?P<d1>{_DAY}){_UP_TO}(?P<d2>{_DAY})(?: of)? (?P<n1>{_ANY_MONTH})"
    rf"(?:,? (?P<y1>{_YEAR}))?"
    rf"|(?P<n2>{_MONTH}) (?P<d3>{_DAY}){_UP_TO}(?P<d4>{_DAY})(?!\w|{_DASH})"
    rf"(?:,? (?P<y2>{_YEAR}))?)(?![\w%])"
)
_YEARS = re.compile(rf"(?<![\w$€£¥₹#.,/-])(?P<a>{_YEAR})[-–—/](?P<b>{_YEAR}|\d\d)(?![\w%-]|[.,]\d)")
_SAID = re.compile(
    rf"\b(?:the day before yesterday|yesterday|today|tonight"
    rf"|(?:on )?{_WEEKDAY},? (?:of )?(?:last|this|the previous) week|(?:last|this) week'?s? {_WEEKDAY}"
    rf"|(?:this|last|past|previous|next) (?:week|month|year|weekend)\b"
    rf"|{_COUNT} {_UNIT} ago"
    rf"|(?:in |over |during |within )?the (?:last|past) (?:{_COUNT} )?{_UNIT}"
    rf"|(?:this |last |on |(?<=\bsince )|(?<=\buntil )|(?<=\bbefore )|(?<=\bafter )|(?<=\bby )){_WEEKDAY})\b",
    re.IGNORECASE,
)
_NEWEST = re.compile(
    r"\b(?:latest|newest|most recent(?:ly)?|recent(?:ly)?|currently|right now|so far|nowadays)\b", re.IGNORECASE
)
_UNTIL = re.compile(
    r"\b(?:(?<!not )until|till|up to|by|as of|no later than|not after)(?: the end of| the)? $", re.IGNORECASE
)
_BEFORE = re.compile(r"\b(?:before|prior to|earlier than)(?: the)? $", re.IGNORECASE)
_SINCE = re.compile(
    r"\b(?:since|after|later than|no earlier than|not before|not until|starting(?: from)?|from(?= the))"
    r"(?: the (?:start|beginning) of| the)? $",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\b(?:not|never|no|without|other than|except(?: for| in)?|\w+n[’']t)\b[^,;.?!]*$", re.IGNORECASE)
_EXCEPT = re.compile(r"\b(?:other than|except(?: for| in)?|but not|not) (?:in )?$", re.IGNORECASE)
_TO = re.compile(rf"(?: (?:and|to|until|till|through) |{_DASH})(?:the end of )?", re.IGNORECASE)
_ONLY_TO = re.compile(rf"(?: (?:to|until|till|through) |{_DASH})", re.IGNORECASE)
_BETWEEN = re.compile(r"\b(?:between|from) $", re.IGNORECASE)
# "from May 2024" alone is that month: an article from May came out in it.
_ONWARD = re.compile(
    r",? (?:onwards?\b|on(?=\W*$|[,;.?!])|(?:and|to|until|till|through|up to) (?:now|today|the present)\b)",
    re.IGNORECASE,
)
# What stands in front of a bare month or year that is meant as one.
_BEFORE_MONTH = re.compile(
    r"\b(?:in|since|until|till|by|before|after|during|from|between|of|early|late|mid|last|this|next|to|and)[ -]$",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"\b(?:between|from|through|spring|summer|autumn|fall|winter|to|and|or|by|of|for|than|around)[ -]$",
    re.IGNORECASE,
)
_COUNTED = re.compile(r" (?:[a-z]+s|people|men|women|children|police)\b")
_SURELY = re.compile(
    r"\b(?:in|since|until|till|before|after|during|year|years|early|late|mid|as of)[ -]$", re.IGNORECASE
)
_NAMED = re.compile(r"(?<=\s)[A-Z][\w.’'-]*[ ]$")


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
    except (OverflowError, ValueError):  # one can't go back from the first days of year 1, nor on from the last of 9999
        return None


def _hint(question: str, today: date | None) -> TimeHint | None:
    for found in (_range(question, today), _dated(question, today)):
        if found:
            return found
    if today is None:
        return None
    if (match := _SAID.search(question)) and (span := _relative(match.group().lower(), today)):
        return _bounded(question, match.start(), match.end(), span, today)
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


def _range(question: str, today: date | None) -> TimeHint | None:
    """Days from one date to another."""
    if match := _DAYS.search(question):
        month, year = match["n1"] or match["n2"], match["y1"] or match["y2"]
        first = _day(year, month, match["d1"] or match["d3"], today)
        last = _day(year, month, match["d2"] or match["d4"], today)
        if first and last and first <= last:
            start = match.start()
            if word := re.search(r"\b(?:between|from) $", question[:start]):
                start = word.start()
            return TimeHint(question[start : match.end()], first, last)
    if match := _YEARS.search(question):
        first_year, last_year = int(match["a"]), int(match["b"])
        last_year += first_year // 100 * 100 if last_year < 100 else 0
        if first_year < last_year:
            return TimeHint(match.group(), date(first_year, 1, 1), date(last_year, 12, 31))
    for match in _DATE.finditer(question):
        word = _BETWEEN.search(question[: match.start()])
        to = (_TO if word else _ONLY_TO).match(question, match.end())
        # Cut off in front, because a hyphen before a date is part of it elsewhere.
        other = _DATE.match(question[to.end() :]) if to else None
        if not to or not other:
            continue
        until = to.end() + other.end()
        end = _span(other, today)
        year = _year_of(other)
        begin = _span(match, today, year or (str(end[1].year) if end and not _year_of(match) else ""))
        if begin and end and begin[0] > end[1] and not _year_of(match):  # from November to March 2025
            begin = _span(match, today, str(end[1].year - 1))
        if begin and end and begin[0] <= end[1] and (word or _is_dated(question, match, today)):
            start = word.start() if word else match.start()
            return TimeHint(question[start:until], begin[0], end[1])
    return None


def _dated(question: str, today: date | None) -> TimeHint | None:
    """The days of the first date, with what the words around it make of them."""
    for match in _DATE.finditer(question):
        if _is_dated(question, match, today) and (span := _span(match, today)):
            return _bounded(question, match.start(), match.end(), span, today)
    return None


def _is_dated(question: str, match: re.Match[str], today: date | None) -> bool:
    """Whether a bare month or year is meant as one: by what stands around it."""
    before, after = question[: match.start()], question[match.end() :]
    if match["n6"]:
        return bool(_BEFORE_MONTH.search(before)) and not re.match(r" of\b", after)
    if not match["y7"]:
        return True
    year = int(match["y7"])
    if _SURELY.search(before):
        return True
    if _COUNTED.match(after):
        return False
    if _STRONG.search(before) or (not after.strip(" ?.!,;") and not _NAMED.search(before)):
        return True
    return today is not None and today.year - _YEARS_BACK <= year <= today.year + _YEARS_ON


def _bounded(question: str, start: int, end: int, span: tuple[date, date], today: date | None) -> TimeHint | None:
    """Widen the days to the side that the words around the phrase name; None where they are denied."""
    first, last = span
    before, phrase = question[:start], question[start:end]
    if (word := _BETWEEN.search(before)) and (on := _ONWARD.match(question, end)):
        return TimeHint(question[word.start() : on.end()], first, today)
    for pattern, days in (
        (_UNTIL, (None, last)),
        (_SINCE, (first, today)),
        (_BEFORE, (None, first - timedelta(days=1))),
    ):
        if word := pattern.search(before):
            # "What did he not say before 2024?" is of the time after it as much as of the time before.
            if _DENIED.search(before[: word.start()]) and not word.group().lower().startswith("no"):
                return None
            return TimeHint(word.group() + phrase, *days)
    return None if _EXCEPT.search(before) else TimeHint(phrase, first, last)


def _relative(phrase: str, today: date) -> tuple[date, date] | None:
    weekday = next((n for n, name in enumerate(_WEEKDAYS) if name in phrase), None)
    if weekday is not None:
        back = (today.weekday() - weekday) % 7
        if "week" in phrase:
            monday = today - timedelta(days=today.weekday() + (0 if "this week" in phrase else 7))
            return _one(monday + timedelta(days=weekday))
        return _one(today - timedelta(days=back or (7 if phrase.startswith("last") else 0)))
    if phrase.endswith("yesterday"):
        return _one(today - timedelta(days=2 if "before" in phrase else 1))
    if phrase in ("today", "tonight"):
        return _one(today)
    if match := re.search(rf"\bthe (?:last|past) (?:({_COUNT}) )?(day|week|month|year)", phrase):
        return _ago(_counted(match[1] or ""), match[2], today)[0], today
    if match := re.fullmatch(rf"({_COUNT}) (day|week|month|year)s? ago", phrase):
        return _ago(_counted(match[1]), match[2], today)
    which, unit = phrase.split()
    if unit == "weekend":
        saturday = today - timedelta(days=(today.weekday() - 5) % 7)
        weekend = today.weekday() >= 5
        if which == "next":
            saturday += timedelta(days=7 if weekend else 14)
        elif which != "this" and weekend:  # the last one is the one before
            saturday -= timedelta(days=7)
        return saturday, saturday + timedelta(days=1)
    return _around(which, unit, today)


def _around(which: str, unit: str, today: date) -> tuple[date, date]:
    """This, the last or the next week, month or year."""
    step = {"this": 0, "next": 1}.get(which, -1)
    if unit == "year":
        return date(today.year + step, 1, 1), date(today.year + step, 12, 31)
    if unit == "month":
        return _month(*divmod(today.year * 12 + today.month - 1 + step, 12))
    if step == 0:  # "this week" on a Friday is mostly the days before it, so seven days back and not Monday
        return today - timedelta(days=6), today
    monday = today - timedelta(days=today.weekday()) + timedelta(days=7 * step)
    return monday, monday + timedelta(days=6)


def _ago(count: int, unit: str, today: date) -> tuple[date, date]:
    """So many days, weeks, months or years ago: the whole unit of that time."""
    if unit == "day":
        return _one(today - timedelta(days=count))
    if unit == "week":
        return today - timedelta(days=7 * count + 6), today - timedelta(days=7 * count)
    if unit == "year":
        return date(today.year - count, 1, 1), date(today.year - count, 12, 31)
    return _month(*divmod(today.year * 12 + today.month - 1 - count, 12))


def _span(match: re.Match[str], today: date | None, year: str = "") -> tuple[date, date] | None:
    """First and last day of a date.

    Args:
        year: for a date that names none; without it the last such date up to `today` is meant.
    """
    own = _year_of(match) or year
    if match["m1"]:
        return _of_numbers(own, int(match["m1"]), int(match["d1"]))
    if match["m2"]:
        return _month(int(own), int(match["m2"]) - 1)
    if match["d3"] or match["d4"]:
        day = _day(own, match["n3"] or match["n4"], match["d3"] or match["d4"], today)
        return (day, day) if day else None
    if name := match["n5"] or match["n6"]:
        number = _MONTH_NUMBER[name.lower().rstrip(".")]
        if own:
            return _month(int(own), number - 1)
        if today is None:
            return None
        return _month(today.year - (number > today.month), number - 1)
    return date(int(own), 1, 1), date(int(own), 12, 31)


def _year_of(match: re.Match[str]) -> str:
    return next((match[name] for name in ("y1", "y2", "y3", "y4", "y5", "y7") if match[name]), "")


def _day(year: str | None, month: str, day: str, today: date | None) -> date | None:
    """A day of a named month; without a year the last one up to `today`."""
    number, of_month = _MONTH_NUMBER[month.lower().rstrip(".")], int(re.sub(r"\D", "", day))
    if year:
        span = _of_numbers(year, number, of_month)
        return span[0] if span else None
    if today is None:
        return None
    for candidate in range(today.year, today.year - 9, -1):  # 29 February comes again within eight years
        span = _of_numbers(str(candidate), number, of_month)
        if span and span[0] <= today:
            return span[0]
    return None


def _of_numbers(year: str, month: int, day: int) -> tuple[date, date] | None:
    try:
        return _one(date(int(year), month, day))
    except ValueError:  # there is no such day
        return None


def _month(year: int, index: int) -> tuple[date, date]:
    """First and last day of a month; `index` counts from 0."""
    return date(year, index + 1, 1), date(year, index + 1, calendar.monthrange(year, index + 1)[1])


def _one(day: date) -> tuple[date, date]:
    return day, day


def _counted(word: str) -> int:
    return int(word) if word.isdigit() else _COUNTS[word]
