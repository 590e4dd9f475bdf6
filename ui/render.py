"""Answers, evidence and articles as HTML.

Boundary: every string that reaches this module (articles, questions, model output, error
messages) is hostile. It leaves only as escaped text or as an escaped attribute value; nothing
here reads Markdown, emits an image, or links anywhere but to an article's own http(s) address.
The page script knows a button by its data-article, data-start and data-end; nothing else in the
markup has behaviour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby
from urllib.parse import urlsplit

from index.article import Article
from index.ledger import ArticleRow
from index.times import day_in_words
from rag.disagreement import heading, in_words
from rag.opinion import is_opinion
from rag.types import LINES, Answer, AnswerSentence, Citation, Disagreement, EvidenceSentence, Support

SHELF_ROWS = 400
NEAREST = 5

# [0-9], not \d: \d also matches other scripts' digits. Numbers stay strings, because int() refuses
# the very long runs of digits a model can produce.
_MARKERS = re.compile(r"[ \t]*((?:\[\s*[0-9]+(?:\s*,\s*[0-9]+)*\s*\])+)")
_OPEN_MARKER = re.compile(r"[ \t]*\[[0-9,\s]*\Z")
_NUMBER = re.compile(r"[0-9]+")

_SUPPORT_LABEL = {
    Support.PARTIAL: "partly supported",
    Support.UNSUPPORTED: "not supported",
}
_SUPPORT_HINT = {
    Support.PARTIAL: "The cited sentences bear out only part of this sentence.",
    Support.UNSUPPORTED: "No sentence in the articles bears this out.",
}


def evidence_html(evidence: Sequence[EvidenceSentence]) -> str:
    """The sentences found for a question, numbered as the model sees them."""
    if not evidence:
        return '<p class="none">No sentence in the articles comes close to this question.</p>'
    return (
        '<section class="evidence" aria-label="Sentences found">'
        f'<h3 class="label">{_count(len(evidence), "sentence")} found</h3>'
        f"{_passages(evidence, numbered=True)}</section>"
    )


def streaming_html(text: str, evidence: Sequence[EvidenceSentence]) -> str:
    """An answer still being written: the model's own markers become chips, invented ones vanish."""
    known = {str(found.number): found for found in evidence}
    text = _OPEN_MARKER.sub("", text)
    parts: list[str] = []
    position = 0
    for marker in _MARKERS.finditer(text):
        parts.append(_text(text[position : marker.start()]))
        parts.append(_marker_chips(marker.group(1), known))
        position = marker.end()
    parts.append(_text(text[position:]))
    return f'<div class="words">{"".join(parts)}</div>'


def answer_html(answer: Answer) -> str:
    """A finished answer: its sentences, what each rests on, and what it took."""
    body = _declined(answer) if answer.declined else _lines(answer) if answer.kind in LINES else _supported(answer)
    kind = "answer declined" if answer.declined else "answer"
    return f'<div class="{kind}">{body}{_figures(answer)}</div>'


def article_html(article: Article, start: int, end: int) -> str:
    """A whole article, with text[start:end] marked when that is a real span of it."""
    text = article.text
    if 0 <= start < end <= len(text):
        body = f'{_text(text[:start])}<mark id="cited" tabindex="-1">{_text(text[start:end])}</mark>{_text(text[end:])}'
    else:
        body = _text(text)
    note = f'<p class="note">{_text(article.note)}</p>' if article.note else ""
    return (
        f'<article class="source"><h2 class="headline">{_text(article.title) or "Untitled"}</h2>'
        f'<p class="byline">{_byline(article.source, article.author, article.published)}</p>'
        f"{_original(article.url)}{note}"
        # No line break or indent inside: pre-wrap would show it.
        f'<div class="body">{body}</div></article>'
    )


def panel_html(title: str, body: str, stamp: int) -> str:
    """The side panel around markup made by this module.

    The stamp makes opening the same sentence again a change, so that it scrolls back into view.
    """
    return (
        f'<aside class="panel" aria-label="Article" data-opened="{stamp}">'
        f'<div class="bar"><span class="where">{_text(title)}</span>'
        '<button type="button" class="close" data-close aria-label="Close the article">'
        f"Close ✕</button></div>{body}</aside>"
    )


def turn_html(question: str, body: str) -> str:
    """One exchange; body is markup made by this module."""
    return f'<section class="turn"><h2 class="question">{_text(question)}</h2>{body}</section>'


def writing_html(text: str, evidence: Sequence[EvidenceSentence], ahead: int = 0) -> str:
    """An exchange in progress: what is written so far, or how many are to be answered before; then the evidence."""
    others = "1 other question is" if ahead == 1 else f"{ahead} other questions are"
    written = (
        streaming_html(text, evidence) if text or not ahead else f'<p class="looking">{others} answered first…</p>'
    )
    written = f'<p class="label draft">Draft, not checked yet</p>{written}' if text else written
    return f'<div class="answer writing" aria-busy="true">{written}</div>{evidence_html(evidence)}'


def broken_off_html(text: str, evidence: Sequence[EvidenceSentence], notice: str) -> str:
    """An exchange that ended before its answer did; keeps what was written, and says so."""
    kept = streaming_html(text, evidence) if text else ""
    found = evidence_html(evidence) if evidence else ""
    return f'<div class="answer broken">{kept}<p class="notice">{_text(notice)}</p></div>{found}'


def looking_html() -> str:
    """An exchange whose evidence has not come back yet."""
    return '<p class="looking">Looking through the articles…</p>'


def notice_html(message: str) -> str:
    """A message to the reader outside any exchange; empty when there is none."""
    return f'<p class="notice" role="alert">{_text(message)}</p>' if message else ""


def plain_html(message: str) -> str:
    """A message with no markup of its own."""
    return _text(message)


def shelf_html(rows: Sequence[ArticleRow]) -> str:
    """What the collection holds: how many articles, and which, on demand."""
    if not rows:
        return '<p class="shelf-empty">There are no articles here yet.</p>'
    items = "".join(_shelf_row(row) for row in rows[:SHELF_ROWS])
    left = len(rows) - SHELF_ROWS
    more = f'<p class="more">and {left:,} more</p>' if left > 0 else ""
    return (
        '<details class="shelf" data-keep="shelf">'
        f'<summary>What is in here <span class="amount">{_count(len(rows), "article")}</span>'
        f"</summary><ul>{items}</ul>{more}</details>"
    )


def _supported(answer: Answer) -> str:
    said = f'{_when(answer)}<div class="words">{_sentences(answer)}</div>'
    return f"{said}{_differences(answer.disagreements)}{_sources(_citations(answer.sentences))}{_found(answer)}"


def _lines(answer: Answer) -> str:
    """What was answered without reading: a text, and a line for each article of a list."""
    items = "".join(f"<li>{_sentence(sentence)}</li>" for sentence in answer.sentences)
    listed = f"<ul>{items}</ul>" if items else ""
    return f'<div class="words">{_text(answer.text)}{listed}</div>{_sources(_citations(answer.sentences))}'


def _differences(disagreements: Sequence[Disagreement]) -> str:
    """What the articles tell differently, and who tells what."""
    return "".join(f'<p class="differ">{heading(d)}: {_text(in_words(d))}</p>' for d in disagreements)


def _declined(answer: Answer) -> str:
    nearest = sorted(answer.evidence, key=lambda e: -e.score)[:NEAREST]
    passages = f'<h3 class="label">Nearest passages</h3>{_passages(nearest, numbered=False)}' if nearest else ""
    verdict = f'<p class="label verdict">Not in these articles</p>{_when(answer)}'
    return f"{verdict}{_refusal(answer)}{passages}"


def _refusal(answer: Answer) -> str:
    """Why the question was declined, and what could be asked instead."""
    if not answer.refusal:
        return f'<div class="words">{_text(answer.text)}</div>'
    asked = "".join(f"<li>{_text(suggestion)}</li>" for suggestion in answer.refusal.suggestions)
    instead = f'<h3 class="label">What could be asked instead</h3><ul class="instead">{asked}</ul>' if asked else ""
    return f'<div class="words">{_text(answer.refusal.reason)}</div>{instead}'


def _when(answer: Answer) -> str:
    """How "this week" and the like were read, so that a wrong reading is seen, and an answer of another time."""
    kind = "when outdated" if answer.outdated else "when"
    return f'<p class="{kind}">{_text(answer.when_in_words())}</p>' if answer.when else ""


def _sentences(answer: Answer) -> str:
    if not answer.sentences:
        return _text(answer.text)
    gaps = _gaps(answer.text, [sentence.text for sentence in answer.sentences])
    return "".join(f"{gap}{_sentence(sentence)}" for gap, sentence in zip(gaps, answer.sentences, strict=True))


def _gaps(text: str, sentences: Sequence[str]) -> Iterator[str]:
    """What stands before each sentence in the whole text: a break, or else a space."""
    position = 0
    for index, sentence in enumerate(sentences):
        found = text.find(sentence, position)
        between = text[position:found] if found >= 0 else ""
        if index == 0:
            yield ""
        else:
            yield "\n\n" if "\n\n" in between else "\n" if "\n" in between else " "
        if found >= 0:
            position = found + len(sentence)


def _sentence(sentence: AnswerSentence) -> str:
    chips = "".join(_citation_chip(citation) for citation in sentence.citations)
    chips = f"<sup>{chips}</sup>" if chips else ""
    return (
        f'<span class="sentence {sentence.support.value}">{_text(sentence.text)}</span>'
        f"{chips}{_support(sentence.support)}"
    )


def _support(support: Support) -> str:
    label = _SUPPORT_LABEL.get(support)
    if label is None:
        return ""
    return f'<span class="support {support.value}" title="{_SUPPORT_HINT[support]}">{label}</span>'


def _citations(sentences: Iterable[AnswerSentence]) -> list[Citation]:
    found = {citation.number: citation for sentence in sentences for citation in sentence.citations}
    return [found[number] for number in sorted(found)]


def _sources(citations: Sequence[Citation]) -> str:
    if not citations:
        return ""
    items = "".join(f"<li>{_source(citation)}</li>" for citation in citations)
    return f'<h3 class="label">Rests on</h3><ol class="citations">{items}</ol>'


def _source(citation: Citation) -> str:
    byline = _byline(citation.source, citation.author, citation.published)
    opinion = " (opinion)" if is_opinion(citation) else ""
    passage = _passage(citation.article, citation.start, citation.end, citation.quote)
    return (
        f'<span class="number" aria-hidden="true">{citation.number}</span><div>{passage}'
        f'<p class="byline"><cite>{_text(citation.title)}</cite> {byline}{opinion}</p></div>'
    )


def _found(answer: Answer) -> str:
    if not answer.evidence:
        return ""
    # Without numbers: these are the model's own, and would clash with the citations' above.
    return (
        f'<details class="read" data-keep="{_text(_key(answer))}"><summary>'
        f"{_count(len(answer.evidence), 'sentence')} found for it</summary>"
        f"{_passages(answer.evidence, numbered=False)}</details>"
    )


def _key(answer: Answer) -> str:
    """Tells one answer's fold from another's, for the script that keeps it open."""
    return f"{answer.timings.total_ms}:{answer.question[:40]}"


def _figures(answer: Answer) -> str:
    timings = answer.timings
    parts = [f"{_count(len(answer.evidence), 'sentence')} found"]
    if answer.read:
        parts.append(f"{len(answer.read)} read")
    if timings.first_word_ms is not None:
        parts.append(f"first word {_seconds(timings.first_word_ms)}")
    parts.append(_seconds(timings.total_ms))
    if answer.invented_markers:
        parts.append(f"{_count(answer.invented_markers, 'made-up reference')} removed")
    return f'<p class="figures">{" · ".join(parts)}</p>'


def _passages(evidence: Sequence[EvidenceSentence], *, numbered: bool) -> str:
    # Best first is the order that matters, so an article stands where its best sentence does.
    order = list(dict.fromkeys(found.article.id for found in evidence))
    grouped = sorted(evidence, key=lambda found: order.index(found.article.id))
    return "".join(
        _article_passages(list(group), numbered=numbered)
        for _, group in groupby(grouped, key=lambda found: found.article.id)
    )


def _article_passages(group: Sequence[EvidenceSentence], *, numbered: bool) -> str:
    article = group[0].article
    items = "".join(
        f"<li>{_evidence_number(found) if numbered else ''}"
        f"{_passage(article.id, found.start, found.end, found.text)}</li>"
        for found in group
    )
    return (
        f'<div class="found"><p class="byline"><cite>{_text(article.title)}</cite> '
        f"{_byline(article.source, '', article.published)}</p><ul>{items}</ul></div>"
    )


def _evidence_number(found: EvidenceSentence) -> str:
    return f'<span class="number" aria-hidden="true">{found.number}</span>'


def _passage(article: str, start: int, end: int, quote: str) -> str:
    return f'<button type="button" class="passage" {_target(article, start, end)}><q>{_text(quote)}</q></button>'


def _marker_chips(markers: str, known: dict[str, EvidenceSentence]) -> str:
    numbers = dict.fromkeys(digits.lstrip("0") for digits in _NUMBER.findall(markers))
    chips = "".join(_evidence_chip(known[number]) for number in numbers if number in known)
    return f"<sup>{chips}</sup>" if chips else ""


def _evidence_chip(found: EvidenceSentence) -> str:
    article = found.article
    return _chip(found.number, article.id, found.start, found.end, article.title)


def _citation_chip(citation: Citation) -> str:
    return _chip(citation.number, citation.article, citation.start, citation.end, citation.title)


def _chip(number: int, article: str, start: int, end: int, title: str) -> str:
    label = _text(f"Open source {number}: {title}")
    return (
        f'<button type="button" class="chip" {_target(article, start, end)} '
        f'aria-label="{label}" title="{_text(title)}">{number}</button>'
    )


def _target(article: str, start: int, end: int) -> str:
    return f'data-article="{_text(article)}" data-start="{start}" data-end="{end}"'


def _shelf_row(row: ArticleRow) -> str:
    return (
        f'<li><button type="button" class="title" {_target(row.id, 0, 0)}>{_text(row.title)}'
        f'</button> <span class="byline">{_byline(row.source, "", row.published)}</span></li>'
    )


def _byline(source: str, author: str, published: str) -> str:
    parts = (source, author, day_in_words(published))
    return " · ".join(f"<span>{_text(part)}</span>" for part in parts if part)


def _original(url: str) -> str:
    if not _is_web(url):
        return ""
    return (
        f'<p class="original"><a href="{_text(url)}" target="_blank" '
        'rel="noopener noreferrer nofollow">Open the original</a></p>'
    )


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.1f} s"


def _count(amount: int, noun: str) -> str:
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def _text(value: str) -> str:
    # A lone surrogate cannot be sent as UTF-8 and would fail the whole response. The replacement
    # is one character for one, so offsets still hold.
    return escape(value.encode("utf-8", "replace").decode("utf-8"), quote=True)
