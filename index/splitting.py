"""Article → sentences → chunks. Offsets into the article's text are kept throughout; no text is copied or changed.

A chunk, with the title in front, never exceeds what the embedder reads: the rest would be cut off without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from index.article import Article, Chunk, Pieces, Span
from index.sentences import sentence_texts, split_sentences

__all__ = ["PieceCounter", "sentence_texts", "split", "split_sentences"]

_WINDOW = 12  # characters to a word piece, on average, from which a part ends before the budget is used up


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
