"""What the reader and the judge learn from: prompts as Dateline makes them, with what should be written after them.

One example is a conversation whose assistant turns are learned or not: reading (the answer, or that there is none),
checking (a verdict for each sentence and one for the answer), agreeing (how two sentences relate), rewriting (a
follow-up on its own). Evidence comes from the real search and the real choice over the whole corpus, so that what
stands beside the right sentences is what stands there at run time.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path

import prompts
from evals.training.corpus import Cluster, Pair, Question, Written, summaries
from index.article import Article
from index.embedding import Embedder
from index.ranking import firsts
from index.relevance import bundled
from index.search import Index
from rag import evidence
from rag.types import EvidenceSentence

NONE = "None of the articles says"  # how a refusal begins: its first word alone is the decision
SMALL, LARGE = 220, 460  # tokens of evidence of a question, and of a summary
FIRST_WORD = 6.0  # weight of the token that decides whether there is an answer
_MIXED = 0.3  # share of the questions with an answer in which one sentence is right and one wrong
_KIND = 4.0  # weight of the kind of what is said
# Each verdict is one token, so that its probability is told at one place.
_RELATION = {"agree": "agree", "contradict": "against", "update": "later", "apart": "other"}
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
    return f"{NONE} {asks}."


def _learned(text: str, first: float = 1.0) -> tuple[Part, ...]:
    """What is written, its first word with a weight of its own, and the end of the turn."""
    head, blank, rest = text.partition(" ")
    return Part(head, first), Part(blank + rest, 1.0), Part("<|im_end|>\n", 1.0)


def _verdicts(*words: str) -> tuple[Part, ...]:
    told = (Part((" " if place else "") + word, _VERDICT) for place, word in enumerate(words))
    return *told, Part("<|im_end|>\n", 1.0)


def check(verdicts: Sequence[str]) -> tuple[Part, ...]:
    """The request to check what was written, and a verdict for each of its sentences and for the whole."""
    asked = opened(prompts.render("check"))
    return Part(asked), *_verdicts(*verdicts)


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

    def pool(self, question: str, asked: str) -> tuple[evidence.Ranked, ...]:
        """What the search finds for a question, the most relevant first, as the assistant ranks it."""
        hits = self.index.search(question, evidence.HITS, asked=asked)
        return evidence.pool(question, hits, self.index, bundled().scores)

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
        plans = [("small", SMALL), ("large", LARGE)]
        if question.answerable:
            plans += [("without", lot.choice([SMALL, LARGE]))] * (lot.random() < 0.4)
        for label, budget in plans:
            yield from self._reading(cluster, question, f"{name}/{label}", label == "without", pool, budget, lot)

    def _reading(
        self, cluster: Cluster, question: Question, name: str, without: bool,
        pool: Sequence[evidence.Ranked], budget: int, lot: random.Random,
    ) -> Iterator[Example]:  # fmt: skip
        corpus, asked = self._corpus, question.standalone or question.text
        if without:
            known = {*question.gold, *self._blind.get(cluster.name, {}).get(question.id, ())}
            answering = _places(corpus.of(cluster, known))
            kept = [each for each in pool if not _places([each.sentence]) & answering]
            found = evidence.reading(kept, count, budget)
            found = tuple(e for e in found if not _places([e]) & answering)
            if not found:
                return
            found = in_order(shuffled(found, lot))
            yield self._example(name, cluster, found, asked, question.day, _learned(refusal(question.asks), FIRST_WORD))
            return
        foil = lot.choice(question.foils) if name.endswith("small") else question.foils[-1]
        mentioned = sorted(question.gold | set(foil.said.cites))
        found = evidence.reading(pool, count, budget)
        found = in_order(shuffled(_with(found, corpus.of(cluster, mentioned), budget), lot))
        numbers = {sentence: e.number for sentence in mentioned for e in corpus.covered(cluster, sentence, found)}
        lines = [numbered(line, numbers) for line in question.answer]
        if not question.answerable and not question.answer[0].cites:
            lines[0] = refusal(question.asks)
        answer = " ".join(lines)
        right: tuple[Part, ...] = _learned(answer, FIRST_WORD)
        if question.answerable:
            right += check(["yes"] * len(lines) + ["part" if question.kind == "partly" else "yes"])
        yield self._example(name, cluster, found, asked, question.day, right)
        wrong = numbered(foil.said, numbers)
        verdict = {"no": ["no", "no"], "partly": ["part", "part"], "beside": ["yes", "no"]}[foil.verdict]
        yield self._example(
            f"{name}/foil", cluster, found, asked, question.day,
            (Part(wrong), Part("<|im_end|>\n"), *check(verdict)),
        )  # fmt: skip
        if question.answerable and foil.verdict != "beside" and lot.random() < _MIXED:
            # A right sentence and a wrong one; what the whole is then is left open.
            *verdicts, _ = check([*["yes"] * len(lines), verdict[0]])
            told = (Part(f"{answer} {wrong}"), Part("<|im_end|>\n"), *verdicts)
            yield self._example(f"{name}/mixed", cluster, found, asked, question.day, told)
        for letter in sorted({cite[0] for cite in question.gold}) if name.endswith("large") else ():
            yield from self._position(cluster, question, f"{name}/{letter}", pool, letter, lot)

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
        found = in_order(shuffled(_with(evidence.reading(own, count, SMALL), needed, SMALL), lot))
        numbers = {
            cite: e.number for line in lines for cite in line.cites for e in corpus.covered(cluster, cite, found)
        }
        told = _learned(" ".join(numbered(line, numbers) for line in lines), FIRST_WORD)
        yield self._example(f"{name}/position", cluster, found, asked, question.day, told)

    def _example(
        self,
        name: str,
        cluster: Cluster,
        found: Sequence[EvidenceSentence],
        question: str,
        day: str,
        told: Sequence[Part],
    ) -> Example:
        shown = prompts.render(
            "read", evidence=evidence.shown(found), question=question, asked=f" (asked on {day})" if day else ""
        )
        return Example(name, self._splits[cluster.name], (Part(opened(shown)), *told))

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
            found = in_order(shuffled(_with(self._corpus.of(cluster, rest), needed, LARGE), lot))
            numbers = {
                cite: e.number
                for line in lines
                for cite in line.cites
                for e in self._corpus.covered(cluster, cite, found)
            }
            told = _learned(" ".join(numbered(line, numbers) for line in lines), FIRST_WORD)
            told += check(["yes"] * len(lines) + ["yes"])
            yield self._example(f"{cluster.name}/summary-{letter}", cluster, found, question, "", told)

    def _pair(self, cluster: Cluster, pair: Pair, place: int) -> Example:
        name = f"{cluster.name}/pair{place}"
        lot = _lot(name)
        found = [e for sentence in (pair.first, pair.second) for e in self._corpus.of(cluster, [sentence])[:1]]
        if lot.random() < 0.5:
            found.reverse()
        shown = prompts.render("agree", evidence=evidence.shown(in_order(found)), question=pair.question)
        return Example(name, self._splits[cluster.name], (Part(opened(shown)), *_verdicts(_RELATION[pair.relation])))


def rewriting(
    name: str, split: str, history: Sequence[tuple[str, str]], said: str, kind: str, question: str
) -> Example:
    """What somebody says in a conversation, its kind, and the question that is meant."""
    lines = [line for asked, answered in history for line in (f"Question: {asked}", f"Answer: {answered}")]
    shown = prompts.render("standalone", conversation="\n".join(lines), question=said)
    return Example(name, split, (Part(opened(shown)), *_learned(f"{kind}: {question}".strip(), _KIND)))


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


def in_order(found: Sequence[EvidenceSentence]) -> tuple[EvidenceSentence, ...]:
    return tuple(replace(e, number=number) for number, e in enumerate(found, start=1))


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
