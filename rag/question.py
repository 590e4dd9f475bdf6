"""What somebody types, and the conversation before it → what is meant: its kind, and a question that stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from index.words import words
from prompts import Write, render
from rag.models.asked import Asked
from rag.types import Kind, Turn

OVERVIEW = "What are the articles about?"
_EXCHANGES = 3  # that a follow-up is told with: the last ones
_TURN = 400  # characters of one turn that are told
_TOKENS = 80
# What the first look settles by itself, and what it settles while the model says it in English.
_KNOWN = frozenset({Kind.OVERVIEW, Kind.TALK, Kind.ABILITY})
_SETTLED = 0.6  # .003 of unseen questions are settled wrongly from here on, .62 of all others rightly; else it is asked
_SURE = 0.9  # a plain question that is taken for a list gets a list
_SEEN = frozenset({Kind.SUMMARY, Kind.LIST})
_MAX_GROWTH = 30  # words that a rewrite may add; more is an answer or a tale, not a question


@dataclass(frozen=True, slots=True)
class Meant:
    """What is wanted, and the question in the language of the articles that says so by itself."""

    kind: Kind
    question: str


def meant(typed: str, history: Sequence[Turn], write: Write, looks: Asked, *, trained: bool) -> Meant:
    """What is meant by what is typed; a plain question without a conversation is taken as it is, without a call.

    Args:
        history: the conversation so far, oldest first; its end is told.
        write: the model: messages and the most tokens → text.
        looks: what it looks like at first sight.
        trained: whether the model was trained to tell kinds; another is asked only for what a follow-up refers to.
    """
    turns = [turn for turn in history if turn.content.strip()]
    followed = any(turn.role == "user" for turn in turns)
    as_it_is = Meant(Kind.QUESTION, typed)
    if not followed and (not trained or not looks.needs_telling):
        return as_it_is
    if not followed and looks.best in _KNOWN and looks.shares[looks.best] >= _SETTLED:
        return Meant(Kind(looks.best), OVERVIEW if looks.best == Kind.OVERVIEW else typed)
    said = "\n".join(map(_line, turns[-2 * _EXCHANGES :]))
    prompt = render("standalone" if trained else "condense", conversation=said, question=typed)
    written = write(prompt, _TOKENS).strip().partition("\n")[0]
    kind, _, question = written.partition(":") if trained else (Kind.QUESTION, "", written)
    question = question.strip()
    if kind not in set(Kind) or len(words(question)) > len(words(typed)) + _MAX_GROWTH:
        return as_it_is
    if kind in (Kind.TALK, Kind.ABILITY):
        return Meant(Kind(kind), typed)
    if kind == Kind.QUESTION and looks.best in _SEEN and looks.shares[looks.best] >= _SURE:
        kind = looks.best
    return Meant(Kind(kind), question) if words(question) else as_it_is


def _line(turn: Turn) -> str:
    return f"{'Question' if turn.role == 'user' else 'Answer'}: {' '.join(turn.content.split())[:_TURN]}"
