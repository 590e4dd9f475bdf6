"""The one judge: whether quotations carry a sentence, and how two sentences relate.

It is the model that reads, asked again: its verdicts are single tokens, and their probabilities are what everything is
decided by. docs/training.md tells what it was trained on and how far it can be believed.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from prompts import Message, render
from rag.evidence import asked_on, renumbered, shown
from rag.models.llm import LLM, to_the_end
from rag.types import EvidenceSentence, Support

# Chosen on 60 sentences that a reader judged, not on a tuning set; docs/training.md has the table.
SUPPORTED = 0.99  # from this probability that all of a sentence is carried
PARTIAL = 0.5  # from this probability that at least a part of it is

CLAIM = "What do the articles say?"  # the question where there is none


class Relation(StrEnum):
    """How two sentences of different articles relate on a question."""

    AGREE = "agree"
    AGAINST = "against"
    LATER = "later"
    OTHER = "other"


_WORDS = frozenset({"yes", "part", "no", *Relation})


@dataclass(frozen=True, slots=True)
class Verdict:
    """Probabilities (0…1) that something holds whole, in part, and not at all; they add up to one."""

    yes: float
    part: float
    no: float

    @property
    def support(self) -> Support:
        """What is shown to a reader."""
        if self.yes >= SUPPORTED:
            return Support.SUPPORTED
        return Support.PARTIAL if self.yes + self.part >= PARTIAL else Support.UNSUPPORTED


def prompt(question: str, sentence: str, cited: Sequence[EvidenceSentence], asked: str) -> list[Message]:
    """What the judge is asked about a sentence of an answer.

    Args:
        question: `CLAIM` where there is none.
        cited: what the sentence rests on, each after the one before it; numbered anew.
        asked: the ISO date of the question, "" where it is not known.
    """
    evidence, day = shown(renumbered(cited)), asked_on(asked)
    return render("check", evidence=evidence, question=question, asked=day, sentence=sentence)


class Judge:
    """Judges by a model that has read the evidence; any thread may use it.

    Raises (from every method):
        ModelError: the model can't be used.
        Stopped: `stop` was set.
    """

    def __init__(self, llm: LLM) -> None:
        self._llm = llm

    def carried(
        self,
        question: str,
        sentence: str,
        cited: Sequence[EvidenceSentence],
        asked: str = "",
        stop: threading.Event | None = None,
    ) -> Verdict:
        """Whether the sentences that are cited carry a sentence that answers a question; arguments as for `prompt`.

        It is asked in a conversation of its own: right after its own answer the model believes all of it.
        """
        return _verdict(self._told(prompt(question, sentence, cited, asked), stop))

    def relation(
        self, question: str, one: EvidenceSentence, other: EvidenceSentence, stop: threading.Event | None = None
    ) -> dict[Relation, float]:
        """How probably (0…1) two sentences relate in each way, as far as the question goes."""
        asked = render("agree", evidence=shown((one, other)), question=question)
        told = self._told(asked, stop)
        whole = sum(told.get(each.value, 0.0) for each in Relation) or 1.0
        return {each: told.get(each.value, 0.0) / whole for each in Relation}

    def _told(self, asked: Sequence[Message], stop: threading.Event | None) -> dict[str, float]:
        """The likeliest words of a verdict; the one that was written where a model tells no probabilities."""
        tokens = 1 if self._llm.is_trained else 4  # another model may set a line break or a comma before it
        text, usage = to_the_end(self._llm.write(asked, tokens, stop, likely=True, aside=True))
        words = usage.likely or [{word: 1.0} for word in text.replace(",", " ").split()]
        told = [_in_one_case(at) for at in words if at]
        return next((at for at in told if max(at, key=at.__getitem__) in _WORDS), {})


def _in_one_case(at: Mapping[str, float]) -> dict[str, float]:
    """The probabilities of words, those of "Yes" and "yes" together."""
    told: dict[str, float] = {}
    for word, share in at.items():
        plain = word.strip(".").lower()
        told[plain] = told.get(plain, 0.0) + share
    return told


def _verdict(at: Mapping[str, float]) -> Verdict:
    yes, part, no = (at.get(word, 0.0) for word in ("yes", "part", "no"))
    whole = yes + part + no
    return Verdict(yes / whole, part / whole, no / whole) if whole else Verdict(0.0, 0.0, 1.0)
