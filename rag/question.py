"""A follow-up and the conversation before it → a question that stands alone."""

from __future__ import annotations

from collections.abc import Sequence

from index.words import content_words, words
from prompts import Write, render
from rag.types import Turn

_EXCHANGES = 3  # that a follow-up is told with: the last ones
_TURN = 400  # characters of one turn that are told
_TOKENS = 80
_MAX_GROWTH = 30  # words that a rewrite may add; more is an answer or a tale, not a question


def standalone(question: str, history: Sequence[Turn], write: Write) -> str:
    """The question with what it refers to filled in; as it is where there is no conversation.

    Args:
        history: the conversation so far, oldest first; its end is told.
        write: the model: messages and the most tokens → text.
    """
    asked = [turn for turn in history if turn.content.strip()]
    if not any(turn.role == "user" for turn in asked):
        return question
    said = "\n".join(map(_line, asked[-2 * _EXCHANGES :]))
    rewritten = (
        write(render("standalone", conversation=said, question=question), _TOKENS).strip().split("\n")[0].strip()
    )
    return rewritten if _is_rewrite(rewritten, question, said) else f"{question} ({said})"


def _line(turn: Turn) -> str:
    return f"{'Question' if turn.role == 'user' else 'Answer'}: {' '.join(turn.content.split())[:_TURN]}"


def _is_rewrite(rewritten: str, question: str, said: str) -> bool:
    """Whether the rewrite is a question of about that length that took its words from question and conversation."""
    added, known = set(content_words(rewritten)), {*content_words(question), *content_words(said)}
    return 0 < len(words(rewritten)) <= len(words(question)) + _MAX_GROWTH and 2 * len(added & known) > len(added)
