"""A small corpus, questions about it, and a pipeline of plain words with one method a step, for a test to break one.

It stands for the assistant: what is tested with it is how runs are kept, measured, compared and gated.
"""

from __future__ import annotations

import dataclasses
import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evals.cache import JsonCache
from evals.gold import GoldQuestion, GoldSentence, Kind, write_gold
from evals.run import Asker, ask_items, run
from index.article import Article, Chunk, Span
from index.search import Hit
from index.settings import Settings, load_settings
from rag.decline import DECLINED_TEXT
from rag.models.llm import Usage
from rag.types import Answer, AnswerSentence, Citation, EvidenceSentence, Models, Support, Timings, Turn

FACTS = {
    "bridge": ("The iron bridge of Elmford", "cost", "14 million euros"),
    "library": ("The county library of Westmoor", "holds", "90,000 maps"),
    "ferry": ("The night ferry to Kirkby", "carries", "320 passengers"),
    "mill": ("The paper mill at Ashby", "employs", "75 workers"),
    "tunnel": ("The rail tunnel under Dunmore", "measures", "6 kilometres"),
    "garden": ("The botanical garden of Thornby", "grows", "4,000 orchids"),
    "tower": ("The clock tower of Selwick", "leans", "three degrees"),
    "canal": ("The salt canal of Marbury", "froze", "in 1963"),
}
NOTHING = "Nothing else was published about it this year."
UNKNOWN = ("observatory", "cathedral", "brewery", "stadium", "lighthouse", "quarry", "monastery", "airport")


def _article(name: str) -> Article:
    subject, verb, value = FACTS[name]
    return Article(name, subject, f"Visitors know it well. {subject} {verb} {value}. {NOTHING}")


ARTICLES: dict[str, Article] = {name: _article(name) for name in FACTS}


def _gold_sentence(name: str) -> GoldSentence:
    start, end = 23, ARTICLES[name].text.index(f" {NOTHING}")
    return GoldSentence(name, start, end, ARTICLES[name].text[start:end])


def question(**fields: Any) -> GoldQuestion:
    """An answerable question without any gold, but for what is given."""
    values: dict[str, Any] = {
        "id": "q", "kind": Kind.FACT, "question": "Q?", "history": (), "asked": "", "answerable": True,
        "answers": (), "must": (), "gold": (), "tags": (),
    }  # fmt: skip
    return GoldQuestion(**values | fields)


QUESTIONS: tuple[GoldQuestion, ...] = tuple(
    question(
        id=f"known-{name}",
        question=f"Tell what is {verb} by {subject}?",
        answers=(value,),
        gold=(_gold_sentence(name),),
        reference=f"{subject} {verb} {value}.",
    )
    for name, (subject, verb, value) in FACTS.items()
) + tuple(
    question(id=f"unknown-{name}", question=f"Who built the {name}?", kind=Kind.UNANSWERABLE, answerable=False)
    for name in UNKNOWN
)


class Words:
    """Vectors of counted words, and words as pieces."""

    def query(self, text: str) -> npt.NDArray[np.float32]:
        vector = np.full(64, 1e-3, np.float32)
        for word in _words(text):
            vector[sum(word.encode()) % 64] += 1
        return vector

    def piece_offsets(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+", text)]


class Pipeline:
    """Answers by the sentence that shares most words with the question; counts what it is asked."""

    def __init__(self, articles: Mapping[str, Article] = ARTICLES) -> None:
        self.articles = articles
        self.embedder = Words()
        self.determinants: dict[str, Any] = {
            "settings": {}, "prompts": {"answer": "0"}, "corpus": "c",
            "models": {"llm": "words", "llm_digest": "", "embedder": "words"},
        }  # fmt: skip
        self.asked: list[str] = []

    def retrieve(self, question: str) -> list[Article]:
        """The three nearest articles, best first."""
        return sorted(self.articles.values(), key=lambda a: (-_shared(question, a.text), a.id))[:3]

    def select(self, question: str, articles: Sequence[Article]) -> list[tuple[Article, Span]]:
        """The two best sentences."""
        found = [(article, span) for article in articles for span in _sentences(article.text)]
        return sorted(found, key=lambda each: -_shared(question, each[0].text[each[1].start : each[1].end]))[:2]

    def read(self, question: str, evidence: Sequence[tuple[Article, Span]]) -> str:
        """What is said: the best sentence."""
        article, span = evidence[0]
        return article.text[span.start : span.end]

    def cite(self, evidence: Sequence[tuple[Article, Span]]) -> tuple[Article, Span, str]:
        """What is cited, and with which words."""
        article, span = evidence[0]
        return article, span, article.text[span.start : span.end]

    def decline(self, question: str, evidence: Sequence[tuple[Article, Span]]) -> bool:
        """Whether too little of the question stands in the best sentence."""
        article, span = evidence[0]
        return _shared(question, article.text[span.start : span.end]) < 3

    def ask(self, question: str, history: Sequence[Turn], asked: str) -> tuple[Sequence[Hit], Answer]:
        self.asked.append(question)
        articles = self.retrieve(question)
        hits = [Hit(a, n, Chunk(0, len(a.text), 0, 2), 1 / (n + 1), 0.5, 0.5) for n, a in enumerate(articles)]
        evidence = self.select(question, articles)
        declined = self.decline(question, evidence)
        sentences = () if declined else (self._sentence(question, evidence),)
        return hits, Answer(
            question=question,
            standalone=question,
            text=DECLINED_TEXT if declined else sentences[0].text,
            sentences=sentences,
            declined=declined,
            confidence=0.2 if declined else 0.9,
            evidence=tuple(EvidenceSentence(n, a, 0, s.start, s.end, 1.0) for n, (a, s) in enumerate(evidence, 1)),
            timings=Timings(1.0, 2.0, None if declined else 3.0, 4.0),
            usage=Usage(100, 50, 0 if declined else 20),
            models=Models("words", "words"),
            prompt="0",
            invented_markers=0,
            read=tuple(range(1, len(evidence) + 1)),
        )

    def _sentence(self, question: str, evidence: Sequence[tuple[Article, Span]]) -> AnswerSentence:
        article, span, quote = self.cite(evidence)
        citation = Citation(1, article.id, article.title, "", "", "", "", (), span.start, span.end, quote)
        return AnswerSentence(self.read(question, evidence), (citation,), Support.SUPPORTED)


@contextmanager
def opened(asker: Asker) -> Iterator[Asker]:
    yield asker


def opener(asker: Asker) -> Callable[[Settings], Any]:
    """What `run` opens its asker with."""
    return lambda settings: opened(asker)


def items_of(pipeline: Pipeline, folder: Path, questions: Sequence[GoldQuestion] = QUESTIONS) -> tuple[Any, ...]:
    """The items of the questions, each asked of this pipeline and no other."""
    return ask_items(questions, pipeline, JsonCache(folder, fresh=True))


def record_of(pipeline: Pipeline, folder: Path, name: str, questions: Sequence[GoldQuestion] = QUESTIONS) -> Any:
    """A run's record over the questions."""
    gold = folder / f"{name}.jsonl"
    write_gold(gold, questions)
    settings = dataclasses.replace(load_settings(), home=folder / name)
    return run(gold, None, settings, name=name, fresh=True, open_asker=opener(pipeline))


class Suicidal(Pipeline):
    """Writes down every question, and ends its own process, as a kill would, when it is asked the nth."""

    def __init__(self, diary: Path, nth: int) -> None:
        super().__init__()
        self._diary, self._nth = diary, nth

    def ask(self, question: str, history: Sequence[Turn], asked: str) -> tuple[Sequence[Hit], Answer]:
        with self._diary.open("a") as diary:
            diary.write(question + "\n")
        if len(self.asked) + 1 == self._nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().ask(question, history, asked)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) - {"the", "of", "to", "is", "by", "it", "at", "under", "what"}


def _shared(question: str, text: str) -> int:
    return len(_words(question) & _words(text))


def _sentences(text: str) -> list[Span]:
    return [Span(*match.span()) for match in re.finditer(r"[^.\s][^.]*\.", text)]
