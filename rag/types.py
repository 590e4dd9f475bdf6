"""What an answer is. Frozen results; every citation can be checked against the article it was copied from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from index.article import Article
from index.times import TimeHint, day_in_words, is_newer
from rag.models.llm import Usage

_LEAD_DAYS = 3  # what was published so shortly before may well announce what is asked for


class Support(StrEnum):
    """How far the cited sentences carry a sentence of the answer."""

    SUPPORTED = "supported"
    PARTIAL = "partial"
    UNSUPPORTED = "unsupported"


class Kind(StrEnum):
    """What is wanted."""

    QUESTION = "question"
    OVERVIEW = "overview"  # of the whole collection
    SUMMARY = "summary"  # of an article, or of what is said on a matter
    LIST = "list"  # of articles
    TALK = "talk"  # nothing that articles could say
    ABILITY = "ability"  # what the assistant is and can do


LINES = frozenset({Kind.LIST, Kind.TALK, Kind.ABILITY})  # answered without reading: a text, and a line an article


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message of the conversation; `role` is user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class EvidenceSentence:
    """A sentence that was found; the best of them the model reads, under their `number` (from 1).

    `sentence` is its position in the article; `text` is `article.text[start:end]`; `score` says how well it answers
    to the question and compares only within one evidence. `also_in` are ids of the article's copies that say it too.
    """

    number: int
    article: Article
    sentence: int
    start: int
    end: int
    score: float
    also_in: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return self.article.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Citation:
    """A quotation that a sentence rests on, copied from the article: `article.text[start:end] == quote`, always.

    `number` counts the answer's different quotations from 1; `sentence_ids` are `article-id#position`. `also_in` are
    the ids of syndicated copies of the article that hold the quotation too.
    """

    number: int
    article: str
    title: str
    source: str
    author: str
    published: str
    url: str
    sentence_ids: tuple[str, ...]
    start: int
    end: int
    quote: str
    also_in: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerSentence:
    """One sentence of an answer, without markers, what it rests on, and how probably (0…1) that carries all of it."""

    text: str
    citations: tuple[Citation, ...]
    support: Support
    probability: float = 0.0


@dataclass(frozen=True, slots=True)
class Value:
    """What one article says where another says something else: a sentence of it, and its number in the evidence."""

    text: str
    article: str
    title: str
    source: str
    published: str
    number: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Articles that say different things on the question, the older one first; `update`: the later one replaces it."""

    values: tuple[Value, ...]
    update: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"update": self.update, "values": [asdict(value) for value in self.values]}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a question was declined, in a sentence for the reader, and questions that the articles do speak to."""

    reason: str
    suggestions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds since the question, `first_word_ms` is None where nothing was written."""

    retrieve_ms: float
    evidence_ms: float
    first_word_ms: float | None
    total_ms: float


@dataclass(frozen=True, slots=True)
class Models:
    """Which models an answer came from; `embedder` is its fingerprint."""

    llm: str
    embedder: str


@dataclass(frozen=True)
class Answer:
    """The answer to a question.

    `declined` says that the articles do not hold the answer, `confidence` (0…1) how sure it is that they do.
    `standalone` is the question as it was searched for, with what a follow-up refers to filled in.
    `invented_markers` counts citations that the model made up and that were dropped.
    `asked` is the ISO date of the question, "" where it is not known; `when` holds the days that the question was taken
    to mean, if it says when.
    `disagreements` are the facts of the evidence that its articles tell differently.
    `kind` is what was wanted: small talk has a text and no sentences, a list a sentence for each article.
    `read` are the numbers of the evidence sentences that the model got to read, none where it was not asked.
    `refusal` says why a declined question was declined. `removed` are sentences that the model wrote and that are no
    part of the answer.
    """

    question: str
    standalone: str
    text: str
    sentences: tuple[AnswerSentence, ...]
    declined: bool
    confidence: float
    evidence: tuple[EvidenceSentence, ...]
    timings: Timings
    usage: Usage
    models: Models
    prompt: str
    invented_markers: int
    asked: str = ""
    when: TimeHint | None = None
    disagreements: tuple[Disagreement, ...] = ()
    refusal: Refusal | None = None
    removed: tuple[str, ...] = ()
    read: tuple[int, ...] = ()
    kind: Kind = Kind.QUESTION

    @property
    def citations(self) -> tuple[Citation, ...]:
        """All different quotations, in the order of their numbers."""
        unique = {c.number: c for sentence in self.sentences for c in sentence.citations}
        return tuple(unique[number] for number in sorted(unique))

    @property
    def outdated(self) -> str:
        """The newest day quoted, an ISO date, if all that is quoted came out before the days that are meant; else "".

        An article of another year may answer a question about "this week" word for word, and wrongly.
        """
        days = [citation.published for citation in self.citations]
        if not days or self.when is None or self.when.first is None:
            return ""
        first = self.when.first
        needed = (first - timedelta(days=min(_LEAD_DAYS, first.toordinal() - 1))).isoformat()
        is_to_come = self.asked and first.isoformat() > self.asked  # nothing can have come out then
        if is_to_come or not all(is_newer(needed, day) for day in days):
            return ""
        return max(days, key=lambda day: f"{day}~")  # "2024-04" may be later than 2024-04-10

    def when_in_words(self) -> str:
        """How the question's time was read, and whether all that is quoted is older; "" where it does not say when."""
        if not self.when:
            return ""
        read = self.when.in_words()
        if not self.outdated:
            return read
        return f"{read} What is quoted came out before that: {day_in_words(self.outdated)} at the latest."

    def to_json(self) -> dict[str, Any]:
        """The object that `dateline ask --json` prints; docs/contract.md describes it."""
        return {
            "question": self.question,
            "answer": self.text,
            "declined": self.declined,
            "confidence": round(self.confidence, 4),
            "sentences": [sentence_json(s) for s in self.sentences],
            "evidence": [
                {"article": e.article.id, "start": e.start, "end": e.end, "text": e.text} for e in self.evidence
            ],
            "timings": {
                "retrieve_ms": _rounded(self.timings.retrieve_ms),
                "evidence_ms": _rounded(self.timings.evidence_ms),
                "first_word_ms": _rounded(self.timings.first_word_ms),
                "total_ms": _rounded(self.timings.total_ms),
            },
            "usage": {
                "prompt_tokens": self.usage.prompt_tokens,
                "cached_tokens": self.usage.cached_tokens,
                "completion_tokens": self.usage.completion_tokens,
            },
            "models": {"llm": self.models.llm, "embedder": self.models.embedder},
            "prompt": self.prompt,
            "standalone": self.standalone,
            "asked": self.asked,
            "time": {**self.when.to_json(), "outdated": self.outdated} if self.when else None,
            "invented_markers": self.invented_markers,
            "disagreements": [disagreement.to_json() for disagreement in self.disagreements],
            "refusal": {"reason": self.refusal.reason, "suggestions": list(self.refusal.suggestions)}
            if self.refusal
            else None,
            "removed": list(self.removed),
            "read": list(self.read),
            "kind": self.kind.value,
        }


def sentence_json(sentence: AnswerSentence) -> dict[str, Any]:
    return {
        "text": sentence.text,
        "support": sentence.support.value,
        "probability": round(sentence.probability, 4),
        "citations": [citation_json(citation) for citation in sentence.citations],
    }


def citation_json(citation: Citation) -> dict[str, Any]:
    """The object that stands for a citation wherever one is printed."""
    names = ("number", "article", "title", "source", "author", "published", "url", "start", "end", "quote")
    lists = {"sentence_ids": list(citation.sentence_ids), "also_in": list(citation.also_in)}
    return {name: getattr(citation, name) for name in names} | lists


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def full_text(sentences: Sequence[AnswerSentence]) -> str:
    """The sentences as one paragraph."""
    return " ".join(sentence.text for sentence in sentences)
