"""Hostile text as HTML or Markdown, and the few elements that a report is built of.

Boundary: every text of a record (articles, questions, what a model wrote, error messages) is hostile. It leaves through
`text` as escaped HTML, fit for an element or a quoted attribute, or through `code` as a Markdown code span, in which
nothing is read as Markdown, a link or a mention. The other functions take markup and words of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

# Controls except tab and line end, lone surrogates (they can't be written as UTF-8), and what turns the direction of
# the text around it: bidi embeddings, overrides and isolates. Marks that only place a letter (LRM, ZWJ) stay.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_BACKTICKS = re.compile("`+")


def clean(value: object) -> str:
    """The text with each unseen control shown as \ufffd, one character for one."""
    return _UNSEEN.sub("\ufffd", str(value))


def text(value: object) -> str:
    """Escaped for HTML, inside an element or a quoted attribute."""
    return escape(clean(value), quote=True)


def code(value: object) -> str:
    """One line, as a Markdown code span; nothing for an empty text."""
    line = " ".join(clean(value).split())
    if not line:
        return ""
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


def shorten(value: object, limit: int = 280) -> str:
    """One line of at most `limit` characters, with an ellipsis where something was cut off; not yet escaped."""
    line = " ".join(str(value).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def section(name: str, title: str, body: str) -> str:
    """A part of the page that `#name` leads to."""
    return f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{title}</h2>{body}</section>'


def none(why: str) -> str:
    """In the place of something that there is not."""
    return f'<p class="none">{why}</p>'


def byline(*parts: str) -> str:
    """Small print; empty parts are left out."""
    return f'<p class="byline">{" · ".join(f"<span>{part}</span>" for part in parts if part)}</p>'


def table(kind: str, heads: Sequence[str], *bodies: str) -> str:
    """A table in groups of rows; it scrolls by itself where the page is too narrow for it."""
    titles = "".join(f'<th scope="col">{head}</th>' if head else "<td></td>" for head in heads)
    groups = "".join(f"<tbody>{body}</tbody>" for body in bodies)
    return f'<div class="wide"><table class="{kind}"><thead><tr>{titles}</tr></thead>{groups}</table></div>'


def row(head: str, *cells: object, kind: str = "") -> str:
    """A row of a table under its own heading."""
    inside = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr{attribute("class", kind)}><th scope="row">{head}</th>{inside}</tr>'


def terms(pairs: Iterable[tuple[str, str]], kind: str = "") -> str:
    """Names with their values; those without a value are left out, and nothing at all if no value is left."""
    inside = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in pairs if value)
    return f"<dl{attribute('class', kind)}>{inside}</dl>" if inside else ""


def attribute(name: str, value: str) -> str:
    """An attribute of an element, left out if it is empty."""
    return f' {name}="{value}"' if value else ""
