"""Who says what: each article's position on a question, written from that article's sentences alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from index.article import Article
from index.times import is_newer
from index.words import content_stems
from prompts import Write, render
from rag import attribution, checking, cite, decline
from rag.answer import (
    AnswerSentence,
    Citation,
    Disagreement,
    EvidenceSentence,
    Models,
    citation_json,
    full_text,
    sentence_json,
)
from rag.disagreement import disagreements
from rag.evidence import shown
from rag.nli import Entailment

MOST_ARTICLES = 6
SHARES = 3  # of the evidence budget, one for each article: every one is read alone
_TOKENS = 90
_SAME = 0.8  # share of common words from which two sentences say the same

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Position:
    """What one article says on a question.

    `quote` is its sentence nearest to the question, whether it says anything or not. `silent` says that it does not
    address the question; then there are no sentences. `newest` is set on the latest of several dates only; `also_in`
    are the articles that say the same word for word.
    """

    article: Article
    sentences: tuple[AnswerSentence, ...]
    quote: Citation
    silent: bool
    opinion: bool
    newest: bool
    also_in: tuple[Article, ...]

    @property
    def text(self) -> str:
        return full_text(self.sentences)

    def to_json(self) -> dict[str, Any]:
        article = self.article
        return {
            "article": article.id,
            "title": article.title,
            "source": article.source,
            "author": article.author,
            "published": article.published,
            "url": article.url,
            "text": self.text,
            "sentences": [sentence_json(s) for s in self.sentences],
            "quote": citation_json(self.quote),
            "silent": self.silent,
            "opinion": self.opinion,
            "newest": self.newest,
            "also_in": [{"article": copy.id, "title": copy.title, "source": copy.source} for copy in self.also_in],
        }


@dataclass(frozen=True, slots=True)
class BySource:
    """The positions of the articles on a question: by date, the oldest first; those that say nothing come last."""

    question: str
    positions: tuple[Position, ...]
    disagreements: tuple[Disagreement, ...]
    models: Models
    prompt: str

    @property
    def citations(self) -> tuple[Citation, ...]:
        """All different quotations, in the order of their numbers."""
        cited = [c for p in self.positions for c in (p.quote, *(c for s in p.sentences for c in s.citations))]
        unique = {citation.number: citation for citation in cited}
        return tuple(unique[number] for number in sorted(unique))

    def to_json(self) -> dict[str, Any]:
        """The object that `dateline ask --by-source --json` prints; docs/contract.md describes it."""
        return {
            "question": self.question,
            "positions": [position.to_json() for position in self.positions],
            "disagreements": [disagreement.to_json() for disagreement in self.disagreements],
            "models": asdict(self.models),
            "prompt": self.prompt,
        }

    def to_markdown(self) -> str:
        from rag.export import by_source_markdown  # it needs our types

        return by_source_markdown(self)


def positions(
    question: str,
    evidence: Sequence[EvidenceSentence],
    write: Write,
    progress: Progress | None = None,
    nli: Entailment | None = None,
) -> tuple[Position, ...]:
    """What each article among the evidence says, at most `MOST_ARTICLES`, the best ones; a call of `write` for each.

    Args:
        progress: told how many articles are done, of how many; first with none.
        nli: judges support in place of the words; see `rag.support.check`.
    """
    groups = _without_copies(question, _by_article(evidence))[:MOST_ARTICLES]
    report = progress or (lambda done, total: None)
    report(0, len(groups))
    drafts = []
    for done, (own, copies) in enumerate(groups, start=1):
        drafts.append(_draft(question, own, copies, write, nli))
        report(done, len(groups))
    return _ordered(_numbered(drafts))


@dataclass(frozen=True, slots=True)
class _Draft:
    """What was written of an article, and its sentence nearest to the question; citations are numbered within it."""

    article: Article
    sentences: tuple[AnswerSentence, ...]
    quote: Citation
    copies: tuple[Article, ...]


def _by_article(evidence: Sequence[EvidenceSentence]) -> list[list[EvidenceSentence]]:
    """The sentences of each article, the article with the best sentence first."""
    groups: dict[str, list[EvidenceSentence]] = {}
    for sentence in evidence:
        groups.setdefault(sentence.article.id, []).append(sentence)
    return sorted(groups.values(), key=lambda group: -max(sentence.score for sentence in group))


def _without_copies(
    question: str, groups: Sequence[list[EvidenceSentence]]
) -> list[tuple[list[EvidenceSentence], tuple[Article, ...]]]:
    """Each group with the articles that repeat it; a copy in which a fact was changed stands for itself."""
    kept: list[tuple[list[EvidenceSentence], tuple[Article, ...]]] = []
    for group in groups:
        place = next((n for n, (own, _) in enumerate(kept) if _repeats(question, group, own)), None)
        if place is None:
            kept.append((group, ()))
        else:
            own, copies = kept[place]
            kept[place] = (own, (*copies, group[0].article))
    return kept


def _repeats(question: str, group: Sequence[EvidenceSentence], own: Sequence[EvidenceSentence]) -> bool:
    stems = [set(content_stems(sentence.text)) for sentence in own]
    for sentence in group:
        words = set(content_stems(sentence.text))
        if not any(words and len(words & other) >= _SAME * len(words | other) for other in stems):
            return False
    return not disagreements(question, [*own, *group])


def _draft(
    question: str,
    own: Sequence[EvidenceSentence],
    copies: tuple[Article, ...],
    write: Write,
    nli: Entailment | None,
) -> _Draft:
    local = [replace(sentence, number=n) for n, sentence in enumerate(own, start=1)]
    text = write(render("position", article=shown(local), question=question), _TOKENS)
    written = () if decline.says_so(text) else checking.check(text, question, local, local, nli=nli).sentences
    best = max(local, key=lambda sentence: sentence.score)
    return _Draft(own[0].article, written, cite.cite([(best.number,)], local)[0][0], copies)


def _numbered(drafts: Sequence[_Draft]) -> list[Position]:
    """The drafts as positions, with citations that are numbered throughout."""
    number = cite.numbering()
    dates = [draft.article.published for draft in drafts]
    return [
        Position(
            article=draft.article,
            sentences=tuple(replace(s, citations=tuple(map(number, s.citations))) for s in draft.sentences),
            quote=number(draft.quote),
            silent=not draft.sentences,
            opinion=attribution.is_opinion(draft.article),
            newest=_is_newest(draft.article.published, dates),
            also_in=draft.copies,
        )
        for draft in drafts
    ]


def _is_newest(published: str, dates: Sequence[str]) -> bool:
    return published == max(dates) and any(is_newer(published, date) for date in dates)


def _ordered(found: Sequence[Position]) -> tuple[Position, ...]:
    return tuple(sorted(found, key=lambda p: (p.silent, not p.article.published, p.article.published)))
