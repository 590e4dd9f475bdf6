"""Words as the lexical half sees them: lower case, without diacritics, stop words dropped, stemmed."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import filterfalse

import snowballstemmer

# Function words, and the words that only ask ("who", "tell"): they carry no topic.
STOP_WORDS = frozenset(
    "a about after again all also am an and any are as at be because been before being between both but by can could "
    "did do does doing done each else ever few for from further get give had has have having he her here hers him his "
    "how i if in into is it its itself just let like may me might more most much must my no nor not now of off on once "
    "only or other our out over own please same say says said shall she should so some such tell than that the their "
    "them then there these they this those through to too under until up upon us very was we were what when where "
    "which while who whom whose why will with would you your s t d ll m re ve".split()
)

_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*")
_stemmer = snowballstemmer.stemmer("english")  # in C where PyStemmer is installed, with the same stems


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """The stem of one lower-case word (Snowball's English rules)."""
    return str(_stemmer.stemWord(word))


def fold(text: str) -> str:
    """Lower case without diacritics, so that `Türkiye` and `turkiye` meet."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(filterfalse(unicodedata.combining, decomposed))


def words(text: str) -> list[str]:
    """All words in order, folded; `3,000` and `2.5` stay whole."""
    return _WORD.findall(fold(text))


def content_words(text: str) -> list[str]:
    """The words that carry a topic, in order, not stemmed."""
    return [word for word in words(text) if word not in STOP_WORDS]


def content_stems(text: str) -> list[str]:
    """The stems of the words that carry a topic, in order."""
    return [stem(word) for word in content_words(text)]
