"""What a file says about an article → its fields. An unknown field is "", never a guess.

The names below are those that front matter, feeds, page metadata and table columns use in practice. A value that can't
be what its name says fails with the name and the value, so that nobody is answered from a wrong date.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from index.article import Article
from index.reading.dates import FORM, in_words, iso_date
from index.reading.document import Document, Given, Reading

MAX_FIELD = 2_000  # characters of a title, source, …; a longer one is not a title
FIELDS = ("id", "title", "source", "author", "published", "url", "note")
# Field → its names, the surest first, written as `_key` folds them.
_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "guid", "uid", "uuid", "identifier", "articleid"),
    "title": ("title", "headline", "head", "subject"),
    "source": ("source", "publisher", "publication", "outlet", "newspaper", "sitename", "site", "sourcename"),
    "author": ("author", "authors", "byline", "creator", "writer", "dccreator", "by"),
    "published": (
        "published", "date", "publisheddate", "datepublished", "publishdate", "publicationdate", "pubdate",
        "publishedat", "publishedon", "publishedtime", "firstpublished", "dateofpublication", "issued", "dcdate",
        "dctermsdate", "dctermsissued", "dcdateissued", "datetime",
    ),
    "url": (
        "url", "link", "permalink", "canonicalurl", "canonical", "sourceurl", "address", "href", "webaddress", "uri",
    ),
    "note": ("note", "notes"),
    "fingerprint": ("fingerprint",),  # trafilatura's, of the text: a name where there is no better one
    "text": ("text", "body", "content", "articlebody", "fulltext", "rawtext", "maintext", "contenttext"),
}  # fmt: skip
_FIELD_OF = {name: (field, rank) for field, names in _NAMES.items() for rank, name in enumerate(names)}
_MOST_LISTED = 50
_HEADLINE_LENGTH = 160
_HEAD_LINES = 4
_FIRST_WORDS = 80
# A line of who wrote it, as English, German, French, Spanish and Italian papers begin it; names alone behind it.
_NAME = r"[^\W\d_a-z][\w’'.-]*"
_BYLINE = re.compile(
    rf"(?:By|By:|Von|Par|Por|Di) ((?:{_NAME}|(?<=\w )(?:de|da|du|van|von|der|den|bin|ibn|al|el|la|le|y|and|und|et|&))"
    rf"(?:,? (?:{_NAME}|de|da|du|van|von|der|den|bin|ibn|al|el|la|le|y|and|und|et|&)){{0,11}})"
    r"(?:, (?:[a-z]+ ){0,3}(?:writer|reporter|correspondent|editor|columnist|staff))?"
)
_BARS = re.compile(r"\s*\\?[|·•–—]\s*")  # between the parts of such a line
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()]*\)")
_WIKI = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]")


def make_reading(
    document: Document,
    given: Given,
    values: Mapping[str, Any],
    text: str,
    *,
    notes: Iterable[str] = (),
    name: str = "",
    lenient: bool = False,
    made: str = "",
) -> Reading:
    """One article of a document.

    Args:
        values: field names as the document has them, with their values.
        name: what the article is called by where it has no id; without it a missing id is an error.
        lenient: a date that can't be understood is left out with a note: the document's metadata are a program's.
        made: the day on which the file was made, told where nothing says when the article came out.

    Raises:
        ValueError: it has no text, no name, or a field that can't be what it is called.
    """
    _must_have_words(text)
    found, unused = _sorted_out(values, given.columns)
    told = list(notes)
    fields = {field: _text(found, field) for field in ("id", "title", "source", "author", "url", "note")}
    fields["author"] = _WIKI.sub(r"\1", fields["author"]).strip()
    if is_address(fields["source"]):  # a web clipper's `source` is the address of the page
        fields["url"] = fields["url"] or fields["source"]
        fields["source"] = ""
    try:
        called, value = found.get("published", ("published", ""))
        fields["published"] = published(value, called)
    except ValueError as error:
        if not lenient:
            raise
        fields["published"] = ""
        told.append(f"undated: it {error}")
    for field, value in head_of(text).items():
        fields[field] = fields[field] or value
    for field, value in given.values.items():
        fields[field] = fields.get(field) or value
    if is_address(document.origin):  # it was fetched from there
        fields["url"] = fields["url"] or document.origin
    if made and not fields["published"]:
        told.append(f"undated: its file was made on {made}, which need not be when it came out")
    article = Article(
        **{
            **fields,
            "id": fields["id"] or _called(name, fields["url"], _text(found, "fingerprint")),
            "title": fields["title"] or _first_words(text),
            "text": text,
            "origin": document.origin,
        }
    )
    _must_be_storable(article)
    return Reading(article, tuple(told), tuple(unused))


def is_date_column(name: str, columns: Mapping[str, str]) -> bool:
    """Whether a table's column of this name may say when an article came out."""
    return columns.get("published") == name or _FIELD_OF.get(_key(name), ("", 0))[0] == "published"


def row_text(values: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    """The text of a row, to the letter.

    Raises:
        ValueError: it has none.
    """
    called, value = _sorted_out(values, columns)[0].get("text", ("text", None))
    if value is None:
        raise ValueError("has no `text`; an article needs text. --map text=NAME says what it is called.")
    if not isinstance(value, str):
        raise ValueError(f"has {_kind(value)} as its `{called}`; give the text as one string.")
    return value


def published(value: object, called: str = "published") -> str:
    """The ISO date of a value, "" for no value.

    Raises:
        ValueError: it is no date, or only a part of it is one.
    """
    if _is_nothing(value):
        return ""
    if not isinstance(value, str | int | float | date):
        raise ValueError(f"has {_kind(value)} as its `{called}`; write it as {FORM}.")
    text = " ".join(str(value).split())
    if not (day := iso_date(text)):
        raise ValueError(f"has a `{called}` of {text[:40]!r}, which is no whole date; write it as {FORM}.")
    return day


def head_of(text: str) -> dict[str, str]:
    """What the lines that a text begins with say, before its first paragraph: title, author, published.

    A short first line is the title; a line that is a date, or has one between bars, is when it came out; what follows
    "By" on a line is the author.

    Raises:
        ValueError: a line is a date in form, but no day of the calendar.
    """
    lines = [line.strip().strip("*_ ") for line in text.lstrip("\n -*_=").split("\n", 9)[:9] if line.strip()]
    found: dict[str, str] = {}
    for line in lines[:_HEAD_LINES]:
        if len(line) > _HEADLINE_LENGTH or line.endswith((".", "!", "?")):
            break
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", line, re.ASCII):
            found.setdefault("published", published(line))
        for part in _BARS.split(line):
            if day := in_words(part):
                found.setdefault("published", day)
            elif author := _BYLINE.fullmatch(part):
                found.setdefault("author", author[1])
    first = _LINK.sub(r"\1", re.sub(r"^#{1,6}\s+|\s+#+$", "", lines[0])).strip("*_ ") if len(lines) > 1 else ""
    if first and len(first) <= _HEADLINE_LENGTH and first[-1] not in ".;," and not _dated_or_signed(first):
        found["title"] = first
    return found


def _dated_or_signed(line: str) -> bool:
    return any(in_words(part) or _BYLINE.fullmatch(part) for part in _BARS.split(line))


def is_address(text: str) -> bool:
    """Whether this is the address of a page."""
    return bool(re.match(r"https?://\S+$", text))


def _sorted_out(values: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[dict[str, tuple[str, Any]], list[str]]:
    """Field → (the name it has here, its value), and the names of what holds a value and is used for nothing."""
    chosen: dict[str, tuple[int, str, Any]] = {}
    named = {name: field for field, name in columns.items()}
    held = {str(name): value for name, value in values.items() if not _is_nothing(value)}
    for name, value in held.items():
        field, rank = (named[name], -1) if name in named else _FIELD_OF.get(_key(name), ("", 0))
        if field and (field not in chosen or rank < chosen[field][0]):
            chosen[field] = (rank, name, value)
    used = {name for _, name, _ in chosen.values()}
    return {field: (name, value) for field, (_, name, value) in chosen.items()}, [n for n in held if n not in used]


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _is_nothing(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, bool):  # a switch of some program, and no text
        return True
    return value is None or (isinstance(value, str) and not value.strip()) or (isinstance(value, list) and not value)


def _text(found: Mapping[str, tuple[str, Any]], field: str) -> str:
    called, value = found.get(field, (field, ""))
    if isinstance(value, dict) and isinstance(value.get("name"), str):  # as JSON-LD writes people and publishers
        value = value["name"]
    if isinstance(value, list) and len(value) <= _MOST_LISTED:
        parts = [part.get("name") if isinstance(part, dict) else part for part in value if not _is_nothing(part)]
        named = [part for part in parts if isinstance(part, str)]
        if len(named) == len(parts):
            value = ", ".join(named)
    # Nothing nested is ever turned into text: a few lines of YAML anchors can stand for gigabytes.
    if not isinstance(value, str | int | float):
        raise ValueError(f"has {_kind(value)} as its `{called}`; give plain text.")
    text = " ".join(str(value).split())
    if len(text) > MAX_FIELD:
        raise ValueError(f"has a `{called}` of {len(text)} characters; at most {MAX_FIELD} are kept.")
    return text


def _kind(value: object) -> str:
    kinds = {"list": "a list", "dict": "an object", "int": "a number", "float": "a number"}
    return kinds.get(type(value).__name__, f"a {type(value).__name__}")


def _called(name: str, *others: str) -> str:
    if name:
        return slug(name)
    if other := next(filter(None, others), ""):
        return other
    raise ValueError("has no `id`; a row needs a name that stays the same. --map id=NAME says what it is called.")


def slug(name: str) -> str:
    """A file's name as an id: what is no letter, digit, dot or hyphen becomes a hyphen."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "article"


def _first_words(text: str) -> str:
    """What an article without a headline is called: its first words."""
    lines = (re.sub(r"^#{1,6}\s+|\*\*|__", "", line.strip()) for line in text.split("\n"))
    line = next(line for line in lines if any(character.isalnum() for character in line))
    return line if len(line) <= _FIRST_WORDS else line[:_FIRST_WORDS].rpartition(" ")[0].rstrip(" ,;:–—-") + " …"


def _must_have_words(text: str) -> None:
    if not any(character.isalnum() for character in text):
        raise ValueError("is empty; an article needs text.")


def _must_be_storable(article: Article) -> None:
    for name in ("text", *FIELDS):
        value = getattr(article, name)
        if "\0" in value:
            raise ValueError(f"has a NUL character in `{name}`; remove it.")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"has half of a surrogate pair in `{name}` (character {error.start}).") from error
