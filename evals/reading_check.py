"""Sentences that a run shows as supported, with their quotations, drawn for somebody to read and judge.

Our own check of support can't tell how often it is wrong; a reader can.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evals.record import Record
from evals.wording import amount
from index.errors import GoldError
from rag.export import described, escaped
from rag.types import Support


@dataclass(frozen=True, slots=True)
class Drawn:
    """A sentence of an answer that was shown as supported, and its citations as a record holds them."""

    question: str
    sentence: str
    citations: tuple[Mapping[str, Any], ...]


def draw(record: Record, n: int) -> tuple[Drawn, ...]:
    """At most `n` supported sentences of a run, always the same of the same answers."""
    found = {
        hashlib.sha256(f"{item.id}/{place}".encode()).hexdigest(): Drawn(
            item.standalone or item.question, sentence["text"], tuple(sentence["citations"])
        )
        for item in record.items
        if item.answer
        for place, sentence in enumerate(item.answer["sentences"])
        if sentence["support"] == Support.SUPPORTED.value
    }
    return tuple(found[key] for key in sorted(found)[:n])


def to_markdown(record: Record, drawn: Sequence[Drawn]) -> str:
    """A numbered list to write a verdict under each sentence.

    Raises:
        GoldError: nothing was drawn.
    """
    if not drawn:
        raise GoldError(f"{record.name} shows no sentence as supported.")
    about = f"{amount(len(drawn), 'sentence')} that the run {escaped(record.name)} shows as supported."
    asked = "Does what is quoted say all of the sentence, as an answer to the question? Write yes, or no and why."
    return "\n\n".join([about, asked, *(_entry(number, each) for number, each in enumerate(drawn, start=1))]) + "\n"


def _entry(number: int, drawn: Drawn) -> str:
    lines = [
        f"### {number}",
        f"*{escaped(drawn.question)}*",
        f"**{escaped(drawn.sentence)}**",
        *map(_quotation, drawn.citations),
        "Verdict:",
    ]
    return "\n\n".join(lines)


def _quotation(citation: Mapping[str, Any]) -> str:
    about = described(*(citation[name] for name in ("title", "source", "author", "published")))
    return f"> “{escaped(citation['quote'])}” — {about}"
