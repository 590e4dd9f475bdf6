"""What an article is, and what it is cut into.

Offsets are always character positions in the article's own `text`, half open: `article.text[start:end]`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Article:
    """One article as it was read. An unknown field is the empty string, never a guess.

    `text` is what was read, and citations point into it. `published` is an ISO date that may stop at the year or the
    month. `origin` says where it was read from (`/path/file.md`, `/path/file.jsonl:12`, `/path/file.zip!/inside.md`).
    """

    id: str
    title: str
    text: str
    source: str = ""
    author: str = ""
    published: str = ""
    url: str = ""
    note: str = ""
    origin: str = ""

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything a reader can see; equal digests mean that nothing has changed."""
        fields = (self.title, self.source, self.author, self.published, self.url, self.note, self.text)
        return hashlib.sha256("\x1f".join(fields).encode()).hexdigest()


def file_of(origin: str) -> str:
    """The file on disk that an origin lies in."""
    return re.sub(r":\d+$", "", re.split(r"(?<=\.zip)!/", origin, maxsplit=1, flags=re.IGNORECASE)[0])


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of characters of an article's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of whole sentences that the embedder can read at once.

    `first` and `last` are positions in the article's sentences, both included.
    """

    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True)
class Pieces:
    """An article cut into sentences, and its sentences gathered into chunks; every sentence is in one chunk."""

    article: Article
    sentences: tuple[Span, ...]
    chunks: tuple[Chunk, ...]
