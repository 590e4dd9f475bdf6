"""Whether an article calls itself opinion; what it says is not looked at."""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import urlsplit

_OPINION = re.compile(r"\b(?:opinion|op-?ed|editorial|commentary|column|columnist)\b", re.IGNORECASE)
_OPINION_TITLE = re.compile(r"\s*(?:opinion|op-?ed|editorial|commentary|column|comment)\s*[:|–—-]", re.IGNORECASE)
_OPINION_FOLDERS = frozenset(
    "opinion opinions op-ed oped editorial editorials commentary commentisfree columns columnists".split()
)


class Headed(Protocol):
    """What stands at the head of an article: an `Article` has it, and a `Citation`."""

    @property
    def title(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def url(self) -> str: ...


def is_opinion(article: Headed) -> bool:
    """Whether the title's beginning, the source or the address names it as opinion."""
    if _OPINION_TITLE.match(article.title) or _OPINION.search(article.source):
        return True
    try:
        folders = urlsplit(article.url).path.lower().split("/")
    except ValueError:  # an address that is none
        return False
    return not _OPINION_FOLDERS.isdisjoint(folders)
