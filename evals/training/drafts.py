"""What the reader itself writes where it must write something: its own mistakes, from which the judge learns.

Made-up wrong answers are easy to tell from right ones; those that a model believes are not. So the reader answers
questions whose right answer is known: those of the corpus with all that answers them taken away, and those of XQuAD's
tuning half, a third of them without their article. What holds a known answer is right, all else is wrong.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import prompts
from evals.metrics import contains
from evals.training.corpus import Cluster
from evals.training.examples import FIRST_WORD, Builder, Example, Part, count, judged, learned, opened
from evals.training.public import corpus, rows, tuning_half
from index.relevance import bundled
from rag import cite, evidence, reader
from rag.models.llm import LLM, whole
from rag.types import EvidenceSentence

TOKENS = 260  # of evidence
_SEED = 5
_LOST = 3  # one question of XQuAD in so many is asked without its article


@dataclass(frozen=True, slots=True)
class Asked:
    """A question over what is read; `answers` are those that are right, none where nothing in it is."""

    name: str
    question: str
    day: str
    answers: tuple[str, ...]
    read: tuple[EvidenceSentence, ...]


def of_corpus(builder: Builder, clusters: Sequence[Cluster]) -> Iterator[Asked]:
    """Questions of the corpus over what does not answer them, in an order drawn by lot."""
    asked = [(one, question) for one in clusters for question in one.questions if question.answerable]
    random.Random(_SEED).shuffle(asked)  # noqa: S311 (no secret)
    for cluster, question in asked:
        if read := builder.beside(cluster, question, TOKENS):
            name = f"{cluster.name}/{question.id}"
            yield Asked(name, question.standalone or question.text, question.day, (), read)


def of_xquad(folder: Path) -> Iterator[Asked]:
    """The tuning half of XQuAD over what the search finds."""
    index = corpus(folder / "xquad")
    for place, row in enumerate(tuning_half(folder / "xquad" / "questions.jsonl")):
        asked, lost = row["question"], place % _LOST == 0
        ranked = evidence.pool(asked, index.search(asked, evidence.HITS), index, bundled().scores)
        kept = [each for each in ranked if not (lost and each.sentence.article.id in row["gold_articles"])]
        yield Asked(f"xquad/{row['id']}", asked, "", tuple(row["answers"]), evidence.reading(kept, count, TOKENS))


def write(asked: Asked, llm: LLM, stop: threading.Event | None = None) -> dict[str, Any]:
    """The reader's answer, which it may not refuse, as a row of the file of drafts."""
    messages = reader.prompt(asked.question, asked.read, asked.day, trained=True)
    text = whole(llm.write(messages, reader.TOKENS, stop, without=reader.NONE_WORD))
    sentences = []
    for marked in cite.read_markers(text):
        cited = evidence.shown(evidence.renumbered(reader.cited(marked.numbers, asked.read)))
        sentences.append({"text": marked.text, "cited": cited})
    return {
        "name": asked.name, "question": asked.question, "day": asked.day, "answers": asked.answers,
        "read": evidence.shown(asked.read), "text": text, "sentences": sentences,
    }  # fmt: skip


def names(path: Path) -> frozenset[str]:
    """The names of the drafts that a file holds."""
    return frozenset(row["name"] for row in rows(path)) if path.exists() else frozenset()


def examples(path: Path, split: Callable[[str], str]) -> Iterator[Example]:
    """What is learned from a file of drafts: the verdict on each sentence, what is right to write, and when nothing is.

    Args:
        split: of a cluster's name.
    """
    for row in rows(path):
        name, answers = row["name"], row["answers"]
        part = "train" if name.startswith("xquad/") else split(name.split("/")[0])
        asked = {"question": row["question"], "asked": evidence.asked_on(row["day"])}
        right = any(contains(row["text"], answer) for answer in answers)
        for place, sentence in enumerate(row["sentences"]):
            holds = any(contains(sentence["text"], answer) for answer in answers)
            if sentence["cited"] and holds == right:  # of a right answer only the sentence that holds it
                request = prompts.render("check", evidence=sentence["cited"], sentence=sentence["text"], **asked)
                yield judged(f"{name}/draft{place}", part, request, "yes" if right else "no")
        begun = Part(opened(prompts.render("read", evidence=row["read"], **asked)))
        if right:
            yield Example(f"{name}/right", part, (begun, *learned(row["text"], FIRST_WORD)))
        elif answers and not any(contains(row["read"], answer) for answer in answers):
            yield Example(f"{name}/none", part, (begun, Part(reader.NONE_WORD, FIRST_WORD)))
