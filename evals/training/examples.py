"""What the reader and the judge learn from: prompts as Dateline makes them, with what should be written after them.

One example is a conversation whose assistant turns are learned or not: reading (the answer, or that there is none, at
once or after reading on), judging (whether what a sentence cites carries it), agreeing (how two sentences relate),
rewriting (a follow-up on its own). Evidence comes from the real search and the real choice over the whole corpus, so
that what stands beside the right sentences is what stands there at run time.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import prompts
from evals.training.corpus import Cluster, Pair, Question, Written, summaries
from index.article import Article
from index.embedding import Embedder
from index.ranking import firsts
from index.relevance import bundled
from index.search import Index
from rag import evidence, judge, reader
from rag.types import EvidenceSentence

# Tokens of evidence: at first and when it is read on, from and to; of what is read at once (a summary, a comparison).
FIRST, MORE, LARGE = (160, 300), (260, 460), 600
FIRST_WORD = 6.0  # weight of the token that decides whether there is an answer
# Shares of the questions with an answer that are also asked without it, and of all that are read at once.
_WITHOUT, _AT_ONCE = 0.8, 0.3
_WIDE = frozenset({"contrast", "list", "open"})  # kinds that are always read at once too
_KIND = 4.0  # weight of the kind of what is said
# Each verdict is one token, so that its probability is told at one place.
_RELATION = {"agree": "agree", "contradict": "against", "update": "later", "apart": "other"}
_FOIL = {"no": "no", "partly": "part", "beside": "part"}  # what is carried and not asked is not carried as an answer
_VERDICT = 8.0  # and of a verdict, beside the tokens of an answer


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a prompt or of what is learned after it; `weight` 0 is read and not learned."""

    text: str
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Example:
    """A text in parts, as the model's template lays it out, and where it comes from."""

    name: str
    split: str
    parts: tuple[Part, ...] = field(repr=False)


def opened(messages: Sequence[prompts.Message]) -> str:
    """Messages in Qwen's template, up to where the assistant begins to write."""
    told = "".join(f"<|im_start|>{m.role}\n{m.content}<|im_end|>\n" for m in messages)
    return f"{told}<|im_start|>assistant\n"


def numbered(written: Written, numbers: Mapping[str, int]) -> str:
    """A sentence with the markers of what it rests on, as the reader writes it."""
    markers = "".join(f"[{n}]" for n in sorted({numbers[cite] for cite in written.cites if cite in numbers}))
    return f"{written.text} {markers}".strip()


def refusal(asks: str) -> str:
    """The sentence that says what is not there."""
    return f"{reader.NONE} {asks}."


def learned(text: str, first: float = 1.0) -> tuple[Part, ...]:
    """What is written, its first word with a weight of its own, and the end of the turn."""
    head, blank, rest = text.partition(" ")
    return Part(head, first), Part(blank + rest, 1.0), Part("<|im_end|>\n", 1.0)


def _verdict(word: str) -> tuple[Part, ...]:
    return Part(word, _VERDICT), Part("<|im_end|>\n", 1.0)


def judged(name: str, split: str, messages: Sequence[prompts.Message], verdict: str) -> Example:
    """The judge's request about a sentence, and its verdict."""
    return Example(name, split, (Part(opened(messages)), *_verdict(verdict)))


class Corpus:
    """All clusters in one index, and where each of their sentences lies."""

    def __init__(self, told: Sequence[Cluster]) -> None:
        self.clusters = told
        articles: list[Article] = []
        self._places: dict[str, dict[str, tuple[str, int, int]]] = {}
        for cluster in told:
            places: dict[str, tuple[str, int, int]] = {}
            for one in cluster.articles:
                name = f"{cluster.name}-{one.letter}"
                article = Article(name, one.title, one.text, one.source, one.author, one.date)
                articles.append(article)
                at = 0
                for paragraph in one.paragraphs:
                    for sentence, text in paragraph:
                        at = article.text.index(text, at)
                        places[sentence] = (name, at, at + len(text))
                        at += len(text)
            self._places[cluster.name] = places
        self.embedder = Embedder()
        self.index = Index.in_memory(articles, self.embedder)
        self._sentences = {article.id: evidence.sentences_of(article) for article in articles}

    def covered(self, cluster: Cluster, sentence: str, found: Iterable[EvidenceSentence]) -> list[EvidenceSentence]:
        """Those of the found sentences that overlap a sentence of the corpus."""
        article, start, end = self._places[cluster.name][sentence]
        return [e for e in found if e.article.id == article and e.start < end and start < e.end]

    def pool(self, question: str, asked: str, *, by_article: bool = False) -> tuple[evidence.Ranked, ...]:
        """What the search finds for a question, the most relevant first, as the assistant ranks it."""
        hits = self.index.search(question, evidence.HITS, asked=asked)
        return evidence.pool(question, hits, self.index, bundled().scores, by_article=by_article)

    def before(self, found: Iterable[EvidenceSentence]) -> list[EvidenceSentence]:
        """The sentences in the order of their articles, each after the one before it."""
        places = {(e.article.id, e.sentence) for e in found}
        places |= {(article, sentence - 1) for article, sentence in places if sentence}
        return [self._sentences[article][sentence] for article, sentence in sorted(places)]

    def of(self, cluster: Cluster, sentences: Iterable[str]) -> list[EvidenceSentence]:
        """The sentences of the corpus as evidence, whether the search found them or not."""
        found = []
        for sentence in sentences:
            name, start, end = self._places[cluster.name][sentence]
            found += [e for e in self._sentences[name] if e.start < end and start < e.end]
        return found


class Builder:
    """Turns clusters into examples. What is drawn by lot depends on the question's name alone."""

    def __init__(
        self, corpus: Corpus, splits: Mapping[str, str], blind: Mapping[str, Mapping[str, Sequence[str]]]
    ) -> None:
        self._corpus = corpus
        self._splits = splits
        self._blind = blind  # cluster → question → ids that somebody else answered it from

    def of(self, cluster: Cluster) -> Iterator[Example]:
        """All examples of a cluster."""
        for question in cluster.questions:
            yield from self._questions(cluster, question)
            if question.history:
                yield self._rewriting(cluster, question)
        for place, pair in enumerate(cluster.pairs):
            yield self._pair(cluster, pair, place)
        yield from self._summaries(cluster, summaries(cluster))

    def _questions(self, cluster: Cluster, question: Question) -> Iterator[Example]:
        name = f"{cluster.name}/{question.id}"
        lot = _lot(name)
        pool = self._corpus.pool(question.standalone or question.text, question.day)
        plans = [("first", True, None), ("more", False, True)]  # name, whether the gold is read at first, and then
        if not question.answerable:
            plans += [("again", True, False)]
        elif lot.random() < _WITHOUT:
            plans += [("without", False, None)] if lot.random() < 0.5 else [("never", False, False)]
        for plan, first, then in plans:
            yield from self._reading(cluster, question, f"{name}/{plan}", pool, first, then, lot)
        if question.kind in _WIDE or lot.random() < _AT_ONCE:
            yield self._at_once(cluster, question, f"{name}/once", pool, lot)
        yield from self._judged(cluster, question, name)
        for letter in sorted({cite[0] for cite in question.gold}):
            yield from self._position(cluster, question, f"{name}/{letter}", pool, letter, lot)

    def _reading(
        self, cluster: Cluster, question: Question, name: str, pool: Sequence[evidence.Ranked],
        first: bool, then: bool | None, lot: random.Random,
    ) -> Iterator[Example]:  # fmt: skip
        """What is written after one reading, or after reading on.

        Args:
            first: whether what the right answer rests on is read at first; else nothing that answers the question is.
            then: whether it is read then; None where it is not read on.
        """
        corpus, asked = self._corpus, question.standalone or question.text
        gold = corpus.before(corpus.of(cluster, sorted(question.gold)))
        answering = self._answering(cluster, question)

        def found(budget: int, wanted: bool, after: Sequence[EvidenceSentence]) -> tuple[EvidenceSentence, ...]:
            if wanted:
                needed = [e for e in gold if not _places([e]) & _places(after)]
                told = _with(evidence.reading(pool, count, budget, after=after), needed, budget)
            else:
                told = _lacking(pool, answering, budget, after)
            return evidence.renumbered(shuffled(told, lot), len(after) + 1)

        read = found(lot.randint(*FIRST), first, ())
        messages = reader.prompt(asked, read, question.day, trained=True)
        parts: tuple[Part, ...] = (Part(opened(messages)),)
        if then is not None:
            added = found(lot.randint(*MORE), then, read)
            again = reader.read_on(messages, asked, added, question.day)[-1]
            head, blank, rest = reader.PASSED.partition(" ")
            parts += Part(head, FIRST_WORD), Part(f"{blank}{rest}<|im_end|>\n"), Part(opened([again]))
            if not added:
                return
            read = (*read, *added)
        if read:
            told = self._answer(cluster, question, read) if first or then else refusal(question.asks)
            yield Example(name, self._splits[cluster.name], (*parts, *learned(told, FIRST_WORD)))

    def beside(self, cluster: Cluster, question: Question, budget: int) -> tuple[EvidenceSentence, ...]:
        """What is read for a question where all that answers it is missing."""
        answering = self._answering(cluster, question)
        pool = self._corpus.pool(question.standalone or question.text, question.day)
        return evidence.renumbered(_lacking(pool, answering, budget, ()))

    def _answering(self, cluster: Cluster, question: Question) -> set[tuple[str, int]]:
        """Where all lies that answers a question: what its answer cites, and what somebody else answered it from."""
        known = {*question.gold, *self._blind.get(cluster.name, {}).get(question.id, ())}
        return _places(self._corpus.of(cluster, known))

    def _at_once(
        self, cluster: Cluster, question: Question, name: str, pool: Sequence[evidence.Ranked], lot: random.Random
    ) -> Example:
        """What is written after a long reading, the best sentences of each article first where they are compared."""
        asked = question.standalone or question.text
        if question.kind in _WIDE:
            pool = evidence.spread(self._corpus.pool(asked, question.day, by_article=True))
        gold = self._corpus.before(self._corpus.of(cluster, sorted(question.gold)))
        found = _with(evidence.reading(pool, count, LARGE, skipping=True), gold, LARGE)
        read = evidence.renumbered(shuffled(found, lot))
        return self._example(name, cluster, read, asked, question.day, self._answer(cluster, question, read))

    def _answer(self, cluster: Cluster, question: Question, read: Sequence[EvidenceSentence]) -> str:
        """The right answer with the numbers of what it cites."""
        lines = question.answer
        if not question.answerable and not lines[0].cites:
            return " ".join(filter(None, (refusal(question.asks), self._said(cluster, lines[1:], read))))
        return self._said(cluster, lines, read)

    def _said(self, cluster: Cluster, lines: Sequence[Written], read: Sequence[EvidenceSentence]) -> str:
        """Sentences with the numbers of what they cite, under which it was read."""
        cites = {cite for line in lines for cite in line.cites}
        numbers = {cite: e.number for cite in cites for e in self._corpus.covered(cluster, cite, read)}
        return " ".join(numbered(line, numbers) for line in lines)

    def _judged(self, cluster: Cluster, question: Question, name: str) -> Iterator[Example]:
        """Verdicts on the sentences of the right answer and on the wrong ones."""
        told = [(line, "yes") for line in question.answer if line.cites]
        told += [(foil.said, _FOIL[foil.verdict]) for foil in question.foils]
        asked = question.standalone or question.text
        for place, (line, verdict) in enumerate(told):
            cited = self._corpus.before(self._corpus.of(cluster, line.cites or sorted(question.gold)))
            if cited:
                request = judge.prompt(asked, line.text, cited, question.day)
                yield judged(f"{name}/judged{place}", self._splits[cluster.name], request, verdict)

    def _position(
        self, cluster: Cluster, question: Question, name: str,
        pool: Sequence[evidence.Ranked], letter: str, lot: random.Random,
    ) -> Iterator[Example]:  # fmt: skip
        """What one article says on a question that several speak to, and that another of the cluster says nothing."""
        if len({cite[0] for cite in question.gold}) < 2:
            return
        corpus, asked = self._corpus, question.standalone or question.text
        lines = [line for line in question.answer if line.cites and {cite[0] for cite in line.cites} == {letter}]
        if not lines:
            return
        own = [each for each in pool if each.sentence.article.id == f"{cluster.name}-{letter}"]
        needed = corpus.of(cluster, sorted({cite for line in lines for cite in line.cites}))
        budget = lot.randint(*FIRST)
        found = evidence.renumbered(shuffled(_with(evidence.reading(own, count, budget), needed, budget), lot))
        told = self._said(cluster, lines, found)
        yield self._example(f"{name}/position", cluster, found, asked, question.day, told)

    def _example(
        self,
        name: str,
        cluster: Cluster,
        found: Sequence[EvidenceSentence],
        question: str,
        day: str,
        told: str,
    ) -> Example:
        messages = reader.prompt(question, found, day, trained=True)
        return Example(name, self._splits[cluster.name], (Part(opened(messages)), *learned(told, FIRST_WORD)))

    def _rewriting(self, cluster: Cluster, question: Question) -> Example:
        name = f"{cluster.name}/{question.id}/standalone"
        return rewriting(
            name, self._splits[cluster.name], question.history, question.text, "question", question.standalone
        )

    def _summaries(self, cluster: Cluster, summaries: Mapping[str, Sequence[Written]]) -> Iterator[Example]:
        """Each article summarised from itself, and all of them from their beginnings."""
        for letter, lines in summaries.items():
            lot = _lot(f"{cluster.name}/{letter}")
            needed = self._corpus.of(cluster, sorted({cite for line in lines for cite in line.cites}))
            articles = [one for one in cluster.articles if letter in (one.letter, "*")]
            if letter == "*":
                rest = [f"{one.letter}{n}" for one in articles for n in (1, 2)]
                question = "What are the articles about?"
            else:
                rest = [sentence for one in articles for paragraph in one.paragraphs for sentence, _ in paragraph]
                question = f"Summarise the article “{articles[0].title}”."
            found = evidence.renumbered(shuffled(_with(self._corpus.of(cluster, rest), needed, LARGE), lot))
            told = self._said(cluster, lines, found)
            yield self._example(f"{cluster.name}/summary-{letter}", cluster, found, question, "", told)

    def _pair(self, cluster: Cluster, pair: Pair, place: int) -> Example:
        name = f"{cluster.name}/pair{place}"
        lot = _lot(name)
        found = [e for sentence in (pair.first, pair.second) for e in self._corpus.of(cluster, [sentence])[:1]]
        if lot.random() < 0.5:
            found.reverse()
        shown = prompts.render("agree", evidence=evidence.shown(evidence.renumbered(found)), question=pair.question)
        return Example(name, self._splits[cluster.name], (Part(opened(shown)), *_verdict(_RELATION[pair.relation])))


def rewriting(
    name: str, split: str, history: Sequence[tuple[str, str]], said: str, kind: str, question: str
) -> Example:
    """What somebody says in a conversation, its kind, and the question that is meant."""
    lines = [line for asked, answered in history for line in (f"Question: {asked}", f"Answer: {answered}")]
    shown = prompts.render("standalone", conversation="\n".join(lines), question=said)
    return Example(name, split, (Part(opened(shown)), *learned(f"{kind}: {question}".strip(), _KIND)))


def conversations(paths: Iterable[Path]) -> Iterator[Example]:
    """What is said in the conversations of the corpus; one in ten is only measured."""
    for path in paths:
        for place, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            row = json.loads(line)
            name = f"{path.stem}/{place}"
            split = "tuning" if place % 10 == 9 else "train"
            yield rewriting(name, split, [(a, b) for a, b in row["history"]], row["said"], row["kind"], row["question"])


def _lot(name: str) -> random.Random:
    return random.Random(name)  # noqa: S311 (no secret)


def _places(found: Iterable[EvidenceSentence]) -> set[tuple[str, int]]:
    return {(e.article.id, e.sentence) for e in found}


def _lacking(
    pool: Sequence[evidence.Ranked],
    answering: set[tuple[str, int]],
    budget: int,
    after: Sequence[EvidenceSentence],
) -> list[EvidenceSentence]:
    """What is read of a pool where all that answers the question is missing."""
    others = [each for each in pool if not _places([each.sentence]) & answering]
    return [e for e in evidence.reading(others, count, budget, after=after) if not _places([e]) & answering]


def _with(found: Sequence[EvidenceSentence], needed: Sequence[EvidenceSentence], budget: int) -> list[EvidenceSentence]:
    """The found sentences and the needed ones; of the others the last go where it becomes too much."""
    places = _places(needed)
    kept = [e for e in found if (e.article.id, e.sentence) not in places]
    spent = sum(map(_size, needed))
    room = [e for e, upto in zip(kept, accumulate(map(_size, kept)), strict=True) if spent + upto <= budget * 1.15]
    return [*firsts(needed, lambda e: (e.article.id, e.sentence)), *room]


def shuffled(found: Sequence[EvidenceSentence], lot: random.Random) -> list[EvidenceSentence]:
    """The sentences of an article in the order of its text, the articles in any order."""
    articles = list(dict.fromkeys(e.article.id for e in found))
    lot.shuffle(articles)
    return sorted(found, key=lambda e: (articles.index(e.article.id), e.sentence))


def count(texts: Sequence[str]) -> list[int]:
    return [len(text) // 4 + 1 for text in texts]


def _size(e: EvidenceSentence) -> int:
    return len(e.text) // 4 + 5
