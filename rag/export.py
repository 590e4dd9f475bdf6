"""Answers as Markdown: sentences with footnotes that give title, source, author, date, address and quotation.

Every text that comes in is hostile: it leaves escaped, on one line, and can neither mark up, link, load nor forge a
footnote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlsplit

from rag.by_source import BySource, Position
from rag.disagreement import heading, in_words
from rag.opinion import is_opinion
from rag.types import LINES, Answer, AnswerSentence, Citation, Disagreement, EvidenceSentence, Refusal, Support

_NEAREST = 3  # passages that are shown with a declined answer
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SPECIAL = re.compile(r"([\\`*_\[\]{}()#|~^!$])")
_LINE_START = re.compile(r"^(?:[-+=:]|\d{1,9}(?=[.)]))")
_LINK = re.compile(r":(?=//)|(?<=\bwww)\.|(?<=\bWWW)\.|@")
_DOUBT = {
    Support.PARTIAL: " *(only partly supported by the articles)*",
    Support.UNSUPPORTED: " *(not supported by the articles)*",
}


def markdown(found: Answer | BySource) -> str:
    """An answer, or each article's position, with footnotes; a declined answer says so and lists nearest passages."""
    return _answer(found) if isinstance(found, Answer) else _by_source(found)


def _answer(answer: Answer) -> str:
    blocks = [f"**{escaped(answer.question)}**"]
    if answer.when:
        blocks.append(f"*{escaped(answer.when_in_words())}*")
    if answer.declined:
        nearest = sorted(answer.evidence, key=lambda e: -e.score)[:_NEAREST]
        blocks += _refusal(answer.refusal) if answer.refusal else [escaped(answer.text)]
        blocks += ["The nearest passages:", _passages(nearest)] if nearest else []
    elif answer.kind in LINES:
        blocks += [
            escaped(answer.text),
            *(["\n".join(f"- {_sentences([s])}" for s in answer.sentences)] if answer.sentences else []),
        ]
        blocks += [_footnote(citation) for citation in answer.citations]
    else:
        blocks += [_sentences(answer.sentences), *_disagreements(answer.disagreements)]
        blocks += [_footnote(citation) for citation in answer.citations]
    return "\n\n".join(blocks) + "\n"


def _by_source(found: BySource) -> str:
    blocks = [f"**{escaped(found.question)}**", *(_position(position) for position in found.positions)]
    blocks += _disagreements(found.disagreements)
    blocks += [_footnote(citation) for citation in found.citations]
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """A text as one line of Markdown that shows exactly its words."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = line.encode("utf-8", "replace").decode()  # half of a surrogate pair can't be written
    line = _LINK.sub(lambda match: f"\\{match.group()}", _SPECIAL.sub(r"\\\1", line))
    line = re.sub("[&<>]", lambda match: _ENTITIES[match.group()], line)
    return _LINE_START.sub(lambda m: f"{m.group()}\\" if m.group().isdigit() else f"\\{m.group()}", line)


def described(title: str, source: str, author: str, published: str) -> str:
    """What is known of an article, in one escaped line."""
    return " · ".join(escaped(part) for part in (title, source, author, published) if part)


def _sentences(sentences: Iterable[AnswerSentence]) -> str:
    return " ".join(
        escaped(s.text) + "".join(f"[^{c.number}]" for c in s.citations) + _DOUBT.get(s.support, "") for s in sentences
    )


def _refusal(refusal: Refusal) -> list[str]:
    asked = "\n".join(f"- {escaped(suggestion)}" for suggestion in refusal.suggestions)
    return [escaped(refusal.reason), *(["What could be asked instead:", asked] if asked else [])]


def _disagreements(disagreements: Sequence[Disagreement]) -> list[str]:
    return [f"{heading(d)}: {escaped(in_words(d))}" for d in disagreements]


def _passages(evidence: Iterable[EvidenceSentence]) -> str:
    return "\n".join(
        f"- “{escaped(e.text)}” — {described(e.article.title, e.article.source, e.article.author, e.article.published)}"
        for e in evidence
    )


def _position(position: Position) -> str:
    article = position.article
    marks = [mark for mark, is_so in (("opinion", position.opinion), ("newest", position.newest)) if is_so]
    name = described(article.title, article.source, article.author, article.published)
    copies = ", ".join(escaped(copy.source or copy.title) for copy in position.also_in)
    says = "does not say." if position.silent else _sentences(position.sentences)
    nearest = f"Its nearest sentence: “{escaped(position.quote.quote)}”[^{position.quote.number}]"
    return "\n".join(
        [
            f"- **{name}**" + (f" ({', '.join(marks)})" if marks else "") + (f", also in {copies}" if copies else ""),
            f"  {says} {nearest}",
        ]
    )


def _footnote(citation: Citation) -> str:
    about = described(citation.title, citation.source, citation.author, citation.published)
    opinion = " (opinion)" if is_opinion(citation) else ""
    address = f" · <{_address(citation.url)}>" if _address(citation.url) else ""
    copies = f" (also in {escaped(', '.join(citation.also_in))})" if citation.also_in else ""
    return f"[^{citation.number}]: {about}{opinion}{address}{copies}: “{escaped(citation.quote)}”"


def _address(url: str) -> str:
    """An http(s) address with everything quoted that could end it; "" for any other."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return ""
    return quote(url.encode("utf-8", "replace"), safe="/:?&=#%+,;@~.-_")
