"""Evidence and a question → the prompt, and what the text that is written to it says of itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from prompts import Message, render
from rag.evidence import asked_on, shown
from rag.models.llm import Usage
from rag.types import EvidenceSentence

NONE = "None of the articles says"  # how the reader begins where there is no answer, and only there
NONE_WORD = NONE.split()[0]  # one token
PASSED = "None of these."  # what it is taken to have said before it reads on
MISSING = "The articles do not say"  # how it says which part of an answer is not there
TOKENS = 220  # that an answer may have


def prompt(question: str, read: Sequence[EvidenceSentence], asked: str, *, trained: bool) -> list[Message]:
    """What the model is given: evidence and question; for a model that was not trained to read so, how to do it.

    Args:
        asked: the ISO date of the question, "" where it is not known.
    """
    name = "read" if trained else "answer"
    return render(name, evidence=shown(read), question=question, asked=asked_on(asked))


def read_on(before: Sequence[Message], question: str, more: Sequence[EvidenceSentence], asked: str) -> list[Message]:
    """What the trained reader is given when what it has read is not enough: more of it, in the same conversation."""
    return [*before, Message("assistant", PASSED), prompt(question, more, asked, trained=True)[-1]]


def none(usage: Usage) -> float:
    """The probability (0…1) with which a text begins by saying that there is no answer.

    Its first word is one token of the reader's; shorter ones, as "No", begin answers.
    """
    return usage.likely[0].get(NONE_WORD, 0.0) if usage.likely else 0.0


def says_none(text: str) -> bool:
    """Whether a text says that there is no answer."""
    return text.strip().startswith(NONE)


def cited(numbers: Collection[int], read: Sequence[EvidenceSentence]) -> list[EvidenceSentence]:
    """The sentences that were read under some numbers, each after the one before it."""
    named = {(e.article.id, e.sentence) for e in read if e.number in numbers}
    return [e for e in read if named & {(e.article.id, e.sentence), (e.article.id, e.sentence + 1)}]
