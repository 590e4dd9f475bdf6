"""An LLM that writes nothing twice: what it wrote to a prompt is kept, as long as model and prompt stay the same.

Writing takes nearly all of an evaluation's time. What becomes of the text (citations, support, declining) can so be
changed and measured again within minutes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import rag.models
from evals.cache import JsonCache, digest
from evals.record import code_hash, model_digest, package_version, plain_settings, sources
from index.settings import Settings
from prompts import Message
from rag.models.llm import LLM, Usage, Waiting
from rag.reader import TOKENS
from rag.types import Answer


@dataclass(frozen=True, slots=True)
class _Call:
    """The milliseconds that a text took when it was written, none for one that is written now.

    `is_answer`, or `is_question`: what a question means, which is written before the search; else it is a verdict.
    """

    first_word_ms: float
    total_ms: float
    is_answer: bool
    is_question: bool


class KeptWriting(LLM):
    """An LLM as `rag.models.llm.LLM`, with a memory.

    Args:
        fresh: look nothing up and write all anew.
    """

    def __init__(self, settings: Settings, fresh: bool = False) -> None:
        super().__init__(settings)
        known = {
            "model": [settings.model, model_digest(settings), plain_settings(settings)["endpoint"]],
            "context_tokens": settings.context_tokens,
            "llama.cpp": package_version("xllamacpp"),
        }
        # rag/models is what a text comes out of, given its prompt.
        self._known = digest([known, code_hash(sources(rag.models))])
        self._cache = JsonCache(settings.cache / "evals" / "writing", fresh)
        self._calls: list[_Call] = []

    def write(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        stop: threading.Event | None = None,
        *,
        likely: bool = False,
        aside: bool = False,
        without: str = "",
    ) -> Generator[str | Waiting, None, Usage]:
        """As `LLM.write`; a text that is known comes at once and in one piece. One that was broken off is not kept."""
        prompt = [[message.role, message.content] for message in messages]
        key = digest([self._known, prompt, max_tokens, likely, without])
        is_answer = max_tokens == TOKENS
        call = _Call(0.0, 0.0, is_answer, is_question=not is_answer and not likely)
        if kept := _kept(self._cache.get(key)):
            text, usage, first, total = kept
            self._calls.append(replace(call, first_word_ms=first, total_ms=total))
            if text:
                yield text
            return usage
        self._calls.append(call)  # holds the place: what came before an answer counts for it
        start, first, text = time.perf_counter(), 0.0, ""
        writing = super().write(messages, max_tokens, stop, likely=likely, aside=aside, without=without)
        try:
            while True:
                try:
                    piece = next(writing)
                except StopIteration as end:
                    written: Usage = end.value
                    break
                if isinstance(piece, str):
                    first = first or _ms_since(start)
                    text += piece
                yield piece
        finally:
            writing.close()
        took = {"first_word_ms": first, "total_ms": _ms_since(start)}
        self._cache.put(key, {"text": text, "usage": asdict(written), **took})
        return written

    def as_written(self, ask: Callable[[], Answer]) -> Answer:
        """The answer that `ask` gives, with the times that its texts took when they were written.

        One question at a time: what is written meanwhile counts as this answer's.
        """
        self._calls.clear()
        answer = ask()
        own = next((n for n, call in enumerate(self._calls) if call.is_answer), len(self._calls))
        before = sum(call.total_ms for call in self._calls[:own])
        first = before + sum(call.first_word_ms for call in self._calls[own : own + 1])
        question = sum(call.total_ms for call in self._calls if call.is_question)
        took = answer.timings
        return replace(
            answer,
            timings=replace(
                took,
                retrieve_ms=took.retrieve_ms + question,
                evidence_ms=took.evidence_ms + question,
                first_word_ms=None if took.first_word_ms is None else took.first_word_ms + first,
                total_ms=took.total_ms + sum(call.total_ms for call in self._calls),
            ),
        )


def _kept(value: dict[str, Any] | None) -> tuple[str, Usage, float, float] | None:
    """What is kept of a text, with the milliseconds to its first word and its end; None for nothing, or for a file of
    another make."""
    if value is None:
        return None
    try:
        usage = value["usage"] | {"likely": tuple(value["usage"]["likely"])}
        return value["text"], Usage(**usage), value["first_word_ms"], value["total_ms"]
    except (KeyError, TypeError):
        return None


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
