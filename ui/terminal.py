"""Answers as text for a terminal, styled; whoever prints it leaves the styles out where nobody sees them.

Text of articles and models is shown without control characters, which a terminal would obey.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from enum import StrEnum

import click

from index.console import safe, source_line
from rag.by_source import BySource
from rag.disagreement import heading, in_words
from rag.export import markdown
from rag.opinion import is_opinion
from rag.types import LINES, Answer, AnswerSentence, Citation, Disagreement, Support


class Form(StrEnum):
    """How an answer is put out."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def present(answer: Answer | BySource, form: Form) -> str:
    """An answer in one of the forms, with its last line break."""
    if form is Form.JSON:
        return json.dumps(answer.to_json(), ensure_ascii=False) + "\n"
    if form is Form.MARKDOWN:
        return markdown(answer)
    lines = _positions(answer) if isinstance(answer, BySource) else _answer(answer)
    return "".join(f"{line}\n" for line in lines)


def _answer(answer: Answer) -> Iterator[str]:
    if answer.when:
        dim, colour = not answer.outdated, "yellow" if answer.outdated else None
        yield click.style(f"{answer.when_in_words()}\n", dim=dim, fg=colour)
    if answer.declined:
        yield from _declined(answer)
        return
    if answer.kind in LINES:
        yield safe(answer.text)
    for sentence in answer.sentences:
        yield _sentence(sentence)
    yield from _disagreements(answer.disagreements)
    if answer.citations:
        yield ""
        yield from _quotations(answer.citations)


def _declined(answer: Answer) -> Iterator[str]:
    yield click.style(safe(answer.refusal.reason if answer.refusal else answer.text), bold=True)
    yield "\nThe nearest passages:"
    for e in sorted(answer.evidence, key=lambda e: -e.score)[:3]:
        yield f"  “{safe(e.text)}”\n    {safe(source_line(e.article.title, e.article.source, e.article.published))}"
    for suggestion in answer.refusal.suggestions if answer.refusal else ():
        yield f"\nYou could ask: {safe(suggestion)}"


def _positions(found: BySource) -> Iterator[str]:
    for p in found.positions:
        marks = ", ".join(name for name, is_so in (("opinion", p.opinion), ("newest", p.newest)) if is_so)
        about = source_line(p.article.title, p.article.source, p.article.published) + (f" ({marks})" if marks else "")
        yield click.style(safe(about), bold=True)
        for sentence in p.sentences:
            yield f"  {_sentence(sentence)}"
        if p.silent:
            yield "  The article does not say."
        if p.quote not in [c for sentence in p.sentences for c in sentence.citations]:
            yield "  Its nearest sentence:" + click.style(f" [{p.quote.number}]", dim=True)
        if p.also_in:
            yield f"  Also in: {', '.join(safe(source_line(a.title, a.source, a.published)) for a in p.also_in)}"
    yield from _disagreements(found.disagreements)
    yield ""
    yield from _quotations(found.citations)


def _sentence(sentence: AnswerSentence) -> str:
    marks = "".join(f"[{c.number}]" for c in sentence.citations)
    doubt = "" if sentence.support is Support.SUPPORTED else f" ({sentence.support.value})"
    return safe(sentence.text) + click.style(f" {marks}{doubt}" if marks or doubt else "", dim=True)


def _disagreements(disagreements: Iterable[Disagreement]) -> Iterator[str]:
    for d in disagreements:
        yield click.style(f"\n{heading(d)}: {safe(in_words(d))}", fg="yellow")


def _quotations(citations: Iterable[Citation]) -> Iterator[str]:
    for c in citations:
        opinion = " (opinion)" if is_opinion(c) else ""
        copies = f", also in {', '.join(c.also_in)}" if c.also_in else ""
        where = source_line(c.title, c.source, c.published) + opinion + copies
        yield f"[{c.number}] “{safe(c.quote)}”\n    {safe(where)}"
