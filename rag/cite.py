"""The model's text → sentences, and its markers → citations that are copied from the evidence.

A marker is only ever a pointer to a sentence that the model was given; one that points nowhere is dropped and counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from index.sentences import split_sentences
from rag.types import Citation, EvidenceSentence

# [3], [3][5], [3, 5], [3–5], [sentence 3]: whatever a model makes of "like [2]".
_MARKER = re.compile(r"\s*[\[【]\s*(?:(?:sentences?|no\.?|#)\s*)?(\d{1,3}(?:\s*(?:,|;|and|&|-|–)\s*\d{1,3})*)\s*[\]】]")
_RANGE = re.compile(r"(\d+)\s*[-–]\s*(\d+)")
_MOST_IN_RANGE = 8  # [1-99] cites nothing in particular
_OPEN_MARKER = re.compile(r"\s*[\[【][^\]】]*$")
_NAMED = re.compile(r"\d[\d.,]*|\b[^\W\d_a-z][\w’'-]+")
_POSSESSIVE = re.compile(r"(?:[’']s)?[.,’'-]*$")
_LIST_LINE = re.compile(r"^[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MarkedSentence:
    """A sentence of the model's text without its markers, and the numbers they held, in order, each once."""

    text: str
    numbers: tuple[int, ...]


def read_markers(text: str) -> list[MarkedSentence]:
    """The sentences of the model's text; a marker belongs to the sentence that it stands in or follows."""
    plain, markers = _strip(_LIST_LINE.sub("", _OPEN_MARKER.sub("", text)))
    sentences = split_sentences(plain)
    numbers: list[list[int]] = [[] for _ in sentences]
    for position, found in markers:
        # The last sentence that begins before the marker: "… in 2024. [3] The minister …" is about 2024.
        owner = max((n for n, span in enumerate(sentences) if span.start < position), default=0)
        if sentences:
            numbers[owner] += found
    marked = [
        MarkedSentence(plain[span.start : span.end], tuple(dict.fromkeys(found)))
        for span, found in zip(sentences, numbers, strict=True)
    ]
    return [sentence for sentence in marked if re.search(r"\w", sentence.text)]


def cite(numbered: Sequence[Sequence[int]], evidence: Sequence[EvidenceSentence]) -> list[tuple[Citation, ...]]:
    """The citations of each sentence, from the evidence numbers that it names; a number without evidence cites nothing.

    Neighbouring sentences of an article become one citation. Equal citations carry the same number throughout.
    """
    by_number = {sentence.number: sentence for sentence in evidence}
    number = numbering()
    result = []
    for numbers in numbered:
        named = [by_number[each] for each in dict.fromkeys(numbers) if each in by_number]
        result.append(tuple(number(_citation(run)) for run in _runs(named)))
    return result


def stands_nowhere(sentence: str, known: Iterable[str]) -> list[str]:
    """The names and numbers of a sentence that stand in none of the known texts: what was added from memory.

    A number has to stand there whole, a name as the beginning of a word. The first word of the sentence is no name: any
    word begins with a capital there.
    """
    held = " ".join(known).casefold()
    named = [(m.start(), _POSSESSIVE.sub("", m[0])) for m in _NAMED.finditer(sentence)]
    return [name for start, name in named if (start or name[0].isdigit()) and not _stands(name.casefold(), held)]


def _stands(name: str, held: str) -> bool:
    after = r"(?!\d)" if name[0].isdigit() else ""
    return re.search(rf"(?<!\w){re.escape(name)}{after}", held) is not None


def numbering() -> Callable[[Citation], Citation]:
    """Numbers citations from 1 in the order in which they come to it; equal ones get the same number."""
    given: dict[tuple[str, int, int], int] = {}

    def number(citation: Citation) -> Citation:
        place = (citation.article, citation.start, citation.end)
        return replace(citation, number=given.setdefault(place, len(given) + 1))

    return number


def _strip(text: str) -> tuple[str, list[tuple[int, list[int]]]]:
    """The text without markers, and for each marker the position it stood at with its numbers."""
    parts: list[str] = []
    markers: list[tuple[int, list[int]]] = []
    begin = length = 0
    for match in _MARKER.finditer(text):
        parts.append(text[begin : match.start()])
        length += len(parts[-1])
        markers.append((length, _numbers(match.group(1))))
        begin = match.end()
    return "".join([*parts, text[begin:]]), markers


def _numbers(inside: str) -> list[int]:
    numbers: list[int] = []
    for part in re.split(r"\s*(?:,|;|and|&)\s*", inside):
        if match := _RANGE.fullmatch(part):
            first, last = int(match[1]), int(match[2])
            numbers += range(first, last + 1) if 0 <= last - first < _MOST_IN_RANGE else [first, last]
        else:
            numbers.append(int(part))
    return numbers


def _runs(named: Sequence[EvidenceSentence]) -> list[list[EvidenceSentence]]:
    """Neighbours in the same article together, in the order in which they were first named."""
    first_named = {id(sentence): n for n, sentence in enumerate(named)}
    runs: list[list[EvidenceSentence]] = []
    for sentence in sorted(named, key=lambda s: (s.article.id, s.sentence)):
        last = runs[-1][-1] if runs else None
        if last and last.article.id == sentence.article.id and last.sentence + 1 == sentence.sentence:
            runs[-1].append(sentence)
        else:
            runs.append([sentence])
    return sorted(runs, key=lambda run: min(first_named[id(s)] for s in run))


def _citation(run: Sequence[EvidenceSentence]) -> Citation:
    article, start, end = run[0].article, run[0].start, run[-1].end
    return Citation(
        number=0,  # given last, by `numbering`
        article=article.id,
        title=article.title,
        source=article.source,
        author=article.author,
        published=article.published,
        url=article.url,
        sentence_ids=tuple(f"{article.id}#{sentence.sentence}" for sentence in run),
        start=start,
        end=end,
        quote=article.text[start:end],
        also_in=tuple(copy for copy in run[0].also_in if all(copy in sentence.also_in for sentence in run)),
    )
