"""What was read → a draft: whether there is something to write, what is written, and the judge's verdict on it."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace

from index.times import day_in_words
from prompts import Message
from rag import cite, decline, reader
from rag.evidence import renumbered
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
    """What was read does not hold the answer: other sentences are, and the text so far does not count.

    `read` are those that the markers of the text to come point at.
    """

    read: tuple[EvidenceSentence, ...]


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
    def articles(self) -> frozenset[str]:
        """The articles that the shown sentences rest on; none where it is declined."""
        return frozenset(citation.article for each in self.sentences() for citation in each.citations)

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
class Asked:
    """What is asked: the question on its own, the ISO date of it ("" where it is not known), and what stops it.

    `judged` is the question by which the judge judges; the same where it is empty.
    """

    question: str
    day: str = ""
    stop: threading.Event | None = None
    judged: str = ""


@dataclass(frozen=True, slots=True)
class Drafter:
    """Drafts by one model; any thread may use it."""

    llm: LLM
    judge: Judge

    def draft(
        self,
        asked: Asked,
        read: tuple[EvidenceSentence, ...],
        further: Callable[[], tuple[EvidenceSentence, ...]] = tuple,
    ) -> Drafting:
        """Read, and write what is there and have it checked, or what is missing.

        Args:
            further: what is read too where the answer is not in the first, asked for then; its numbers run on.

        Raises:
            ModelError: the model can't be used.
            Stopped: `asked.stop` was set.
        """
        if not read:
            return Draft(read, 1.0)
        messages = reader.prompt(asked.question, read, asked.day, trained=self.llm.is_trained)
        if not self.llm.is_trained:
            return (yield from self._written(asked, messages, read, Usage(), 0.0))
        draft = yield from self._looked(asked, messages, read)
        if draft.decision.declined and (more := further()):
            messages, read = reader.read_on(messages, asked.question, more, asked.day), (*read, *more)
            yield ReadOn(read)
            draft = yield from self._looked(asked, messages, read)
        if draft.text:
            return draft
        text, usage = yield from self._write(messages, reader.TOKENS, asked.stop)
        return replace(draft, text=text, marked=tuple(cite.read_markers(text)), usage=usage)

    def compared(
        self, asked: Asked, read: tuple[EvidenceSentence, ...], alone: Iterable[tuple[EvidenceSentence, ...]]
    ) -> Drafting:
        """A draft from several articles at once; where it rests on no two of them, what each says alone. Errors as for
        `draft`.

        Args:
            alone: what is read of each article.
        """
        draft = yield from self.draft(asked, read)
        if len(draft.articles) > 1:
            return draft
        parts = []
        for own in alone:
            yield ReadOn(own)
            part = yield from self.draft(asked, own)
            if part.articles:
                parts.append(part)
        says_more = len(parts) > len(draft.articles)
        return joined(parts) if says_more else draft

    def _looked(self, asked: Asked, messages: Sequence[Message], read: tuple[EvidenceSentence, ...]) -> Drafting:
        """What is written unless its first word, which is looked at, says that there is nothing to write."""
        _, look = yield from self._write(messages, 1, asked.stop)
        none = reader.none(look)
        if none >= decline.NONE_FROM:
            return Draft(read, none, usage=look)
        return (yield from self._written(asked, messages, read, look, none))

    def _written(
        self, asked: Asked, messages: Sequence[Message], read: tuple[EvidenceSentence, ...], look: Usage, none: float
    ) -> Drafting:
        """A text, and the verdicts on its sentences; a trained reader has looked, and does not begin with a refusal."""
        without = reader.NONE_WORD if self.llm.is_trained else ""
        text, usage = yield from self._write(messages, reader.TOKENS, asked.stop, without)
        if self.llm.is_trained:  # it was then that the prompt was read
            usage = replace(usage, cached_tokens=look.cached_tokens)
        marked = tuple(cite.read_markers(text))
        if reader.says_none(text) or not marked:
            return Draft(read, max(none, decline.NONE_FROM), text, marked, usage=usage, trained=self.llm.is_trained)
        verdicts = tuple(self._verdict(asked, each, read) for each in marked)
        added = tuple(_adds(asked.question, each, read) for each in marked)
        return Draft(read, none, text, marked, verdicts, added, usage, self.llm.is_trained)

    def _verdict(self, asked: Asked, marked: cite.MarkedSentence, read: Sequence[EvidenceSentence]) -> Verdict:
        """On one sentence, from what it cites; what cites nothing is not carried, unless it says what is missing."""
        if marked.text.startswith(reader.MISSING):
            return Verdict(1.0, 0.0, 0.0)
        cited = reader.cited(marked.numbers, read)
        if not cited:
            return Verdict(0.0, 0.0, 1.0)
        return self.judge.carried(asked.judged or asked.question, marked.text, cited, asked.day, asked.stop)

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


def joined(parts: Sequence[Draft]) -> Draft:
    """Drafts one after the other, as one; the numbers of what was read run on."""
    marked: list[cite.MarkedSentence] = []
    before = 0
    for part in parts:
        marked += [replace(each, numbers=tuple(before + number for number in each.numbers)) for each in part.marked]
        before += len(part.read)
    return replace(
        parts[0],
        read=renumbered(e for part in parts for e in part.read),
        none=min(part.none for part in parts),
        text=" ".join(part.text for part in parts),
        marked=tuple(marked),
        verdicts=tuple(verdict for part in parts for verdict in part.verdicts),
        added=tuple(added for part in parts for added in part.added),
    )


def quoted(read: tuple[EvidenceSentence, ...], each: int) -> Draft:
    """A draft that repeats the first sentences of each article word for word."""
    seen: Counter[str] = Counter()
    marked = []
    for e in read:
        seen[e.article.id] += 1
        if seen[e.article.id] <= each:
            marked.append(cite.MarkedSentence(" ".join(e.text.split()), (e.number,)))
    carried = tuple(Verdict(1.0, 0.0, 0.0) for _ in marked)
    return Draft(read, 0.0, " ".join(m.text for m in marked), tuple(marked), carried, tuple(False for _ in marked))


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
