"""What was read → a draft: whether there is something to write, what is written, and the judge's verdict on it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace

from index.times import day_in_words
from prompts import Message
from rag import cite, decline, reader
from rag.judge import Judge, Verdict
from rag.models.llm import LLM, Usage, Waiting
from rag.types import AnswerSentence, EvidenceSentence, Support


@dataclass(frozen=True, slots=True)
class Queued:
    """The model is busy with others' questions; so many are to be answered before this one, 0 when its turn comes."""

    ahead: int


@dataclass(frozen=True, slots=True)
class TextAdded:
    """A piece of the draft that the model writes, markers included; it is checked when it is whole."""

    text: str


@dataclass(frozen=True, slots=True)
class ReadOn:
    """What was read first does not hold the answer: more is read, and the text so far does not count."""


Drafting = Generator[Queued | TextAdded | ReadOn, None, "Draft"]


@dataclass(frozen=True, slots=True)
class Draft:
    """What was written from what was read, how probably there is nothing to write, and the judge's verdict on it."""

    read: tuple[EvidenceSentence, ...]
    none: float
    text: str = ""
    marked: tuple[cite.MarkedSentence, ...] = ()
    verdicts: tuple[Verdict, ...] = ()  # on each of its sentences; none where it says that there is nothing
    added: tuple[bool, ...] = ()  # whether each names something that stands in nothing that it cites
    usage: Usage = field(default_factory=Usage)
    trained: bool = True  # whether by a model that was trained to read so

    @property
    def decision(self) -> decline.Decision:
        """Whether it is an answer."""
        shown = self._carried()
        carried = max((each.probability for each in shown if each.citations), default=0.0)
        return decline.decide(self.none, carried, bool(shown), trained=self.trained)

    @property
    def texts(self) -> tuple[str, ...]:
        """Its sentences as they were written, without markers."""
        return tuple(each.text for each in self.marked)

    @property
    def invented(self) -> int:
        """How many markers point at nothing that was read."""
        known = {e.number for e in self.read}
        return sum(number not in known for each in self.marked for number in each.numbers)

    def sentences(self) -> tuple[AnswerSentence, ...]:
        """The sentences that are shown, with what they rest on; none where it is declined."""
        return () if self.decision.declined else self._carried()

    def _carried(self) -> tuple[AnswerSentence, ...]:
        """The sentences that something carries, at least in part; none where nothing rests on anything."""
        if not self.verdicts:
            return ()
        cited = cite.cite([each.numbers for each in self.marked], self.read)
        found = [
            AnswerSentence(marked.text, citations, Support.PARTIAL if added else verdict.support, verdict.yes)
            for marked, citations, verdict, added in zip(self.marked, cited, self.verdicts, self.added, strict=True)
            if (citations or marked.text.startswith(reader.MISSING)) and verdict.support is not Support.UNSUPPORTED
        ]
        number = cite.numbering()  # anew: the numbers run on where a sentence was taken out
        shown = tuple(replace(each, citations=tuple(map(number, each.citations))) for each in found)
        return shown if any(each.citations for each in shown) else ()


@dataclass(frozen=True, slots=True)
class Drafter:
    """Drafts by one model; any thread may use it."""

    llm: LLM
    judge: Judge

    def draft(
        self,
        question: str,
        read: tuple[EvidenceSentence, ...],
        asked: str,
        stop: threading.Event | None,
        more: tuple[EvidenceSentence, ...] = (),
    ) -> Drafting:
        """Read, and write what is there and have it checked, or what is missing.

        Args:
            asked: the ISO date of the question, "" where it is not known.
            more: what is read too where the answer is not in the first; its numbers run on.

        Raises:
            ModelError: the model can't be used.
            Stopped: `stop` was set.
        """
        if not read:
            return Draft(read, 1.0)
        messages = reader.prompt(question, read, asked, trained=self.llm.is_trained)
        if not self.llm.is_trained:
            return (yield from self._written(question, messages, read, asked, Usage(), 0.0, stop))
        draft = yield from self._looked(question, messages, read, asked, stop)
        if more and draft.decision.declined:
            yield ReadOn()
            messages, read = reader.read_on(messages, question, more, asked), (*read, *more)
            draft = yield from self._looked(question, messages, read, asked, stop)
        if draft.text:
            return draft
        text, usage = yield from self._write(messages, reader.TOKENS, stop)
        return replace(draft, text=text, marked=tuple(cite.read_markers(text)), usage=usage)

    def _looked(
        self,
        question: str,
        messages: Sequence[Message],
        read: tuple[EvidenceSentence, ...],
        asked: str,
        stop: threading.Event | None,
    ) -> Drafting:
        """What is written unless its first word, which is looked at, says that there is nothing to write."""
        _, look = yield from self._write(messages, 1, stop)
        none = reader.none(look)
        if none >= decline.NONE_FROM:
            return Draft(read, none, usage=look)
        return (yield from self._written(question, messages, read, asked, look, none, stop))

    def _written(
        self,
        question: str,
        messages: Sequence[Message],
        read: tuple[EvidenceSentence, ...],
        asked: str,
        look: Usage,
        none: float,
        stop: threading.Event | None,
    ) -> Drafting:
        """A text, and the verdicts on its sentences; a trained reader has looked, and does not begin with a refusal."""
        without = reader.NONE_WORD if self.llm.is_trained else ""
        text, usage = yield from self._write(messages, reader.TOKENS, stop, without)
        if self.llm.is_trained:  # it was then that the prompt was read
            usage = replace(usage, cached_tokens=look.cached_tokens)
        marked = tuple(cite.read_markers(text))
        if reader.says_none(text) or not marked:
            return Draft(read, max(none, decline.NONE_FROM), text, marked, usage=usage, trained=self.llm.is_trained)
        verdicts = tuple(self._verdict(question, each, read, asked, stop) for each in marked)
        added = tuple(_adds(question, each, read) for each in marked)
        return Draft(read, none, text, marked, verdicts, added, usage, self.llm.is_trained)

    def _verdict(
        self,
        question: str,
        marked: cite.MarkedSentence,
        read: Sequence[EvidenceSentence],
        asked: str,
        stop: threading.Event | None,
    ) -> Verdict:
        """On one sentence, from what it cites; what cites nothing is not carried, unless it says what is missing."""
        if marked.text.startswith(reader.MISSING):
            return Verdict(1.0, 0.0, 0.0)
        cited = reader.cited(marked.numbers, read)
        if not cited:
            return Verdict(0.0, 0.0, 1.0)
        return self.judge.carried(question, marked.text, cited, asked, stop)

    def _write(
        self, messages: Sequence[Message], tokens: int, stop: threading.Event | None, without: str = ""
    ) -> Generator[Queued | TextAdded | ReadOn, None, tuple[str, Usage]]:
        """What the model writes, as events; a single token is asked for its probability, and is no text."""
        text, told = "", 0
        writing = self.llm.write(messages, tokens, stop, likely=tokens == 1, without=without)
        with contextlib.closing(writing):
            while True:
                try:
                    piece = next(writing)
                except StopIteration as end:
                    return text, end.value
                if isinstance(piece, Waiting):
                    if piece.ahead != told:
                        told = piece.ahead
                        yield Queued(told)
                    continue
                text += piece
                if tokens > 1:
                    yield TextAdded(piece)


def finished(drafting: Drafting) -> Draft:
    """The draft, whatever is told meanwhile."""
    while True:
        try:
            next(drafting)
        except StopIteration as end:
            draft: Draft = end.value
            return draft


def _adds(question: str, marked: cite.MarkedSentence, read: Sequence[EvidenceSentence]) -> bool:
    """Whether a sentence names something that stands neither in what it cites, nor in its head, nor in the question."""
    if marked.text.startswith(reader.MISSING):
        return False
    cited = reader.cited(marked.numbers, read)
    heads = [(e.article.title, e.article.source, e.article.author, e.article.published) for e in cited]
    known = [question, *(e.text for e in cited), *(part for head in heads for part in head)]
    return bool(cite.stands_nowhere(marked.text, [*known, *(day_in_words(e.article.published) for e in cited)]))
