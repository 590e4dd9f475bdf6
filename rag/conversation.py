"""A follow-up and the conversation before it → a question that stands alone. No LLM call where none is needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from index.words import content_words, words
from prompts import Message, render
from rag.answer import Turn

_TURNS = 4  # how far back a follow-up may refer
_TURN_CHARACTERS = 400
_KEPT = 0.7  # share of the question's own words that a rewrite has to keep
_MAX_GROWTH = 30  # words that a rewrite may add; more is an answer or a tale, not a question

_REFERS_BACK = re.compile(
    r"\b(he|she|they|it|him|her|them|his|hers|their|theirs|its|this|that|these|those|there|then|one|ones|other|others|"
    r"another|same|former|latter|both|neither|either|else|also|too|again|instead|more|such|so)\b",
    re.IGNORECASE,
)
_CONTINUES = re.compile(
    r"^\s*(and|but|so|or|what about|how about|why|who else|when|where|really|ok)\b[^.]{0,60}$", re.IGNORECASE
)
_SHORT = 3  # content words; a question of fewer leans on the one before


def refers_back(question: str, history: Sequence[Turn]) -> bool:
    """Whether a question can't be understood without the conversation before it."""
    if not any(turn.role == "user" for turn in history):
        return False
    return bool(_REFERS_BACK.search(question) or _CONTINUES.match(question) or len(content_words(question)) < _SHORT)


def standalone(question: str, history: Sequence[Turn], write: Callable[[Sequence[Message], int], str]) -> str:
    """The question with what it refers to filled in; unchanged, and without a call, where it refers to nothing."""
    if not refers_back(question, history):
        return question
    said = [
        f"{'Question' if turn.role == 'user' else 'Answer'}: {' '.join(turn.content.split())[:_TURN_CHARACTERS]}"
        for turn in history[-_TURNS:]
    ]
    prompt = render("condense", conversation="\n".join(said), question=question)
    rewritten = write(prompt, 80).strip().split("\n")[0].strip().strip('"“”').strip()
    return rewritten if _is_rewrite(rewritten, question, said) else _joined(question, said)


def _is_rewrite(rewritten: str, question: str, said: Sequence[str]) -> bool:
    """Whether the rewrite kept the question, and took what it added from the conversation."""
    before, after = set(content_words(question)), set(content_words(rewritten))
    return (
        0 < len(words(rewritten)) <= len(words(question)) + _MAX_GROWTH
        and len(before & after) >= _KEPT * len(before)
        and bool((after - before) & set(content_words(" ".join(said))))
    )


def _joined(question: str, said: Sequence[str]) -> str:
    """Without a usable rewrite: the question, and what was said last, for the search to make the best of."""
    return f"{question} ({' '.join(said[-2:])})"
