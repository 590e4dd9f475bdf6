"""Plain text and Markdown with front matter (YAML between hyphens, TOML between pluses) → an article."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from index.reading.document import Document, Given, Result
from index.reading.encoding import decode
from index.reading.fields import make_reading
from index.reading.layout import joined, tidy

MAX_BYTES = 64 * 2**20
# Three hyphens alone on a line, spaces behind them allowed; in front of them empty lines at most.
_YAML = re.compile(r"\s*---[ \t]*\n(?P<head>.*?)(?<=\n)(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_TOML = re.compile(r"\s*\+\+\+[ \t]*\n(?P<head>.*?)(?<=\n)\+\+\+[ \t]*(?:\n|$)", re.DOTALL)
# Pandoc's: title, authors and date, each behind a per cent sign, further lines indented.
_TITLE_BLOCK = re.compile(
    r"%[ \t]*(?P<title>.*(?:\n[ \t]+.*)*)\n%[ \t]*(?P<author>.*(?:\n[ \t]+.*)*)\n(?:%[ \t]*(?P<date>.*)\n)?"
)
_NAMED_LINE = re.compile(r"[ \t]*[\"']?[\w-]+(?:[ .:][\w-]+){0,3}[\"']?[ \t]*(?::(?:[ \t]|$)|=[ \t]*[\"'\[{\d])")


class _Strings(yaml.BaseLoader):
    """Every scalar a string: no surprise dates, no octal numbers, no objects; only YAML's null is no value."""


_Strings.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Strings.add_constructor("tag:yaml.org,2002:null", lambda loader, node: None)


def read_plain(document: Document, given: Given) -> Iterator[Result]:
    """One article: the whole file is its text."""
    text, notes = _text(document)
    yield make_reading(document, given, {}, joined(text), notes=notes, name=Path(document.name).stem)


def read_markdown(document: Document, given: Given) -> Iterator[Result]:
    """One article: its fields from the front matter, its text what follows."""
    text, notes = _text(document)
    fields, body = front_matter(text)
    yield make_reading(document, given, fields, joined(body), notes=notes, name=Path(document.name).stem)


def front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The fields in front of a text, and the text behind them.

    A text that begins with a rule has none.

    Raises:
        ValueError: it is never closed, or can't be read.
    """
    if match := _TOML.match(text):
        return _toml(match["head"]), text[match.end() :].lstrip("\n")
    if match := _YAML.match(text):
        head = match["head"]
        if not _begins_with_a_field(head):
            return {}, text
        return _yaml(head), text[match.end() :].lstrip("\n")
    if match := _TITLE_BLOCK.match(text):
        authors = [" ".join(name.split()) for name in re.split(r"\n|;", match["author"])]
        return match.groupdict() | {"author": [name for name in authors if name]}, text[match.end() :].lstrip("\n")
    opened = re.match(r"\s*(?:---|\+\+\+)[ \t]*\n", text)
    if opened and _begins_with_a_field(text[opened.end() :]):
        fence = "pluses" if opened.group().strip().startswith("+") else "hyphens"
        raise ValueError(f"has front matter that is never closed; end it with a line of three {fence}.")
    return {}, text


def _begins_with_a_field(head: str) -> bool:
    """Whether this is front matter: empty, or a first line `name: value` right behind the fence."""
    lines = [line for line in head.split("\n") if not line.lstrip().startswith("#")]
    return not head.strip() or bool(lines and lines[0].strip() and _NAMED_LINE.match(lines[0]))


def _yaml(head: str) -> dict[str, Any]:
    try:
        fields = yaml.load(head, Loader=_Strings)  # noqa: S506
    except RecursionError as error:
        raise ValueError("has front matter that is nested too deeply.") from error
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"has front matter that is not YAML ({reason}); quote values that hold a colon.") from error
    except ValueError as error:
        raise ValueError(f"has front matter that is not YAML ({error}).") from error
    if not isinstance(fields, dict | None):
        raise ValueError("has front matter that is not a list of `name: value` lines.")
    return fields or {}


def _toml(head: str) -> dict[str, Any]:
    try:
        return tomllib.loads(head)
    except RecursionError as error:
        raise ValueError("has front matter that is nested too deeply.") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"has front matter that is not TOML ({error}); put text in quotes.") from error


def _text(document: Document) -> tuple[str, list[str]]:
    text, encoding = decode(document.read(MAX_BYTES))
    return tidy(text), [f"read as {encoding}"] if encoding else []
