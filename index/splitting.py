"""Article → sentences → chunks. Offsets into the article's text are kept throughout; no text is copied or changed.

A chunk, with the title in front, never exceeds what the embedder reads: the rest would be cut off without a word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from index.article import Article, Chunk, Pieces, Span

if TYPE_CHECKING:
    from nltk.tokenize.punkt import PunktTokenizer

# A scanned page loses the space behind a full stop ("conference.The rare …"); names such as "U.S.A" or "Node.js" stay.
_RUN_TOGETHER = re.compile(r"(?<=[a-z]{3}[.!?])(?=[A-Z][a-z]+ )|(?<=[a-z]{3}[.!?][\"”’'`])(?=[A-Z][a-z]+ )")
# Punkt knows abbreviations of the press, but not these ranks and titles before a name.
_CLOSING = "”’\"')]»"
_TITLES = frozenset("gen col maj lt capt adm sgt cpl brig gov sen rep hon rev prof dr mr mrs ms".split())
_WINDOW = 12  # characters to a word piece, on average, from which a part ends before the budget is used up
_ENDS_WITH_TITLE = re.compile(r"(?:^|[\s(“\"'`])([A-Za-z]+)\.$")


class PieceCounter(Protocol):
    """What the splitter needs to know of an embedder."""

    @property
    def max_pieces(self) -> int:
        """How many word pieces the embedder reads in all, its own special tokens excepted."""
        ...

    def piece_offsets(self, text: str) -> list[tuple[int, int]]:
        """Character ranges of the text's word pieces."""
        ...

    def header(self, title: str) -> str:
        """What the embedder puts in front of every chunk of an article of that title."""
        ...


def split(article: Article, counter: PieceCounter, chunk_pieces: int) -> Pieces:
    """Cut an article into sentences and chunks.

    Args:
        chunk_pieces: word pieces that a chunk aims at, header excepted; a chunk always fits the embedder.
    """
    room = counter.max_pieces - len(counter.piece_offsets(counter.header(article.title)))
    budget = min(chunk_pieces, room)
    sentences: list[Span] = []
    sizes: list[int] = []
    for span in split_sentences(article.text):
        for part, size in _fitting(article.text, span, counter, budget):
            sentences.append(part)
            sizes.append(size)
    return Pieces(article, tuple(sentences), _gather(sentences, sizes, budget))


def split_sentences(text: str) -> list[Span]:
    """The sentences of a text, in order; a line break always ends one, white space belongs to none."""
    spans: list[Span] = []
    for line in re.finditer(r"[^\n\r\u2028\u2029]+", text):
        spans += _sentences_of_line(text, line.start(), line.end())
    return spans


def sentence_texts(text: str) -> list[str]:
    """The sentences of a text as texts, where their places don't matter."""
    return [text[span.start : span.end] for span in split_sentences(text)]


def _sentences_of_line(text: str, start: int, end: int) -> list[Span]:
    line = text[start:end]
    cuts = {cut for _, cut in _punkt().span_tokenize(line)} | {m.start() for m in _RUN_TOGETHER.finditer(line)}
    spans: list[Span] = []
    begin = 0
    for cut in sorted({_after_quote(line, cut) for cut in cuts} | {len(line)}):
        piece = line[begin:cut]
        if cut < len(line) and _is_unfinished(piece):
            continue
        stripped = piece.strip()
        if stripped:
            left = begin + piece.index(stripped)
            spans.append(Span(start + left, start + left + len(stripped)))
        begin = cut
    return spans


def _after_quote(line: str, cut: int) -> int:
    """A closing quotation mark belongs to the sentence before it."""
    while 0 < cut < len(line) and line[cut] in _CLOSING and not line[cut - 1].isspace():
        cut += 1
    return cut


def _is_unfinished(piece: str) -> bool:
    match = _ENDS_WITH_TITLE.search(piece)
    return bool(match and match.group(1).lower() in _TITLES)


@lru_cache(maxsize=1)
def _punkt() -> PunktTokenizer:
    # LlamaIndex carries NLTK's English Punkt, so nothing has to be downloaded. Finding the package is enough:
    # importing it would cost two seconds.
    # NLTK itself takes a second and a half, so it is imported when the first text is split.
    import nltk
    from nltk.tokenize.punkt import PunktTokenizer

    spec = find_spec("llama_index.core")
    assert spec is not None and spec.origin is not None
    nltk.data.path.append(str(Path(spec.origin).parent / "_static" / "nltk_cache"))
    return PunktTokenizer("english")


def _fitting(text: str, span: Span, counter: PieceCounter, budget: int) -> list[tuple[Span, int]]:
    """The span with its size; a span beyond the budget in parts that fit, cut at a space where there is one."""
    offsets = counter.piece_offsets(text[span.start : span.end])
    if len(offsets) <= budget:
        return [(span, max(1, len(offsets)))]  # at least 1: what the tokenizer drops still belongs to a chunk
    parts: list[tuple[Span, int]] = []
    begin = span.start
    while begin < span.end:
        end, offsets = _ahead(text, begin, span.end, counter, budget)
        cut = end
        if len(offsets) > budget or end < span.end:
            hard = begin + max(1, offsets[budget - 1][1]) if len(offsets) > budget else end
            space = text.rfind(" ", begin + 1, hard)
            cut = space if space > begin + (hard - begin) // 2 else hard
        size = max(1, min(len(counter.piece_offsets(text[begin:cut])), budget))
        parts.append((Span(begin, begin + len(text[begin:cut].rstrip())), size))
        begin = cut
        while begin < span.end and text[begin].isspace():
            begin += 1
    return parts


def _ahead(text: str, begin: int, end: int, counter: PieceCounter, budget: int) -> tuple[int, list[tuple[int, int]]]:
    """A place far enough behind `begin` and the pieces up to it: more than the budget, if the text has so many.

    Never the whole rest: counting that again for each part would take the square of its length.
    """
    width = 2 * budget
    while True:
        stop = min(end, begin + width)
        offsets = counter.piece_offsets(text[begin:stop])
        if len(offsets) > budget or stop == end or width >= _WINDOW * budget:
            return stop, offsets
        width *= 2


def _gather(sentences: Sequence[Span], sizes: Sequence[int], budget: int) -> tuple[Chunk, ...]:
    """Neighbouring sentences gathered into chunks of even size, none above the budget."""
    total = sum(sizes)
    target = total / max(1, -(-total // budget)) if total else 0
    chunks: list[Chunk] = []
    first, filled = 0, 0
    for position, size in enumerate(sizes):
        if filled and (filled + size > budget or filled >= target):
            chunks.append(Chunk(sentences[first].start, sentences[position - 1].end, first, position - 1))
            first, filled = position, 0
        filled += size
    if filled:
        chunks.append(Chunk(sentences[first].start, sentences[-1].end, first, len(sentences) - 1))
    return tuple(chunks)
