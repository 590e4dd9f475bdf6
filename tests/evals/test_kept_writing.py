"""What the model wrote is kept apart from what became of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from evals.kept_writing import KeptWriting
from index.article import Article
from index.embedding import Embedder
from index.search import Index
from index.settings import load_settings
from prompts import Message
from rag.answer import Turn
from rag.llm import Usage
from rag.pipeline import Assistant

pytestmark = pytest.mark.loopback

PROMPT = [Message("system", "Answer."), Message("user", "When was the harbour opened?")]


@pytest.fixture
def kept(endpoint: Any, shared_embedder: Embedder) -> Callable[..., KeptWriting]:
    def kept(fresh: bool = False, **other: Any) -> KeptWriting:
        return KeptWriting(dataclasses.replace(load_settings(), **other), fresh)

    return kept


def written(llm: KeptWriting, messages: Sequence[Message] = PROMPT, max_tokens: int = 20) -> tuple[list[str], Usage]:
    pieces, writing = [], llm.write(messages, max_tokens)
    while True:
        try:
            pieces.append(next(writing))
        except StopIteration as end:
            return pieces, end.value


def test_a_text_is_written_once(kept: Callable[..., KeptWriting], endpoint: Any) -> None:
    first, cost = written(kept())
    again, same_cost = written(kept())
    assert first == endpoint.pieces
    assert again == ["".join(first)]
    assert same_cost == cost
    assert cost.completion_tokens
    assert len(endpoint.requests) == 1


def test_whatever_determines_a_text_makes_it_another(kept: Callable[..., KeptWriting], endpoint: Any) -> None:
    written(kept())
    written(kept(), [PROMPT[0], Message("user", "And the ferry?")])
    written(kept(), [Message("user", PROMPT[0].content), PROMPT[1]])
    written(kept(), max_tokens=21)
    written(kept(model="another"))
    written(kept(context_tokens=2048))
    written(kept(fresh=True))
    assert len(endpoint.requests) == 7
    written(kept(evidence_tokens=100))  # shapes the prompt, not the text that follows from it
    assert len(endpoint.requests) == 7


def test_a_text_broken_off_is_not_kept(kept: Callable[..., KeptWriting], endpoint: Any) -> None:
    llm = kept()
    writing = llm.write(PROMPT, 20)
    next(writing)
    writing.close()
    assert written(llm)[0] == endpoint.pieces
    assert len(endpoint.requests) == 2


def test_a_damaged_file_is_a_text_to_be_written(kept: Callable[..., KeptWriting], endpoint: Any) -> None:
    written(kept())
    (file,) = (load_settings().cache / "evals" / "writing").rglob("*.json")
    file.write_text("{")
    written(kept())
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize("refers_back", [False, True])
def test_an_answer_says_how_long_its_texts_took_when_they_were_written(
    refers_back: bool, kept: Callable[..., KeptWriting], endpoint: Any, shared_embedder: Embedder
) -> None:
    about = "When was the harbour of Gwadar opened?"
    history = (Turn("user", "Where is the harbour of Gwadar?"), Turn("assistant", "It is in the west."))
    endpoint.pieces = [f"{about} It was", " opened in 2007 [1]."]
    articles, answers = [Article("a", "", "The harbour of Gwadar was opened in 2007. It rained.")], []
    with Index.in_memory(articles, shared_embedder) as corpus:
        for _ in range(2):
            llm = kept()
            answer = Assistant(load_settings(), corpus, llm).ask(
                "When was it opened?" if refers_back else about, history=history if refers_back else ()
            )
            answers.append((answer, llm.as_written(answer)))
    assert len(endpoint.requests) == 1 + refers_back
    (first, unchanged), (second, timed) = answers
    assert unchanged == first
    assert timed == dataclasses.replace(second, timings=timed.timings)
    assert timed.sentences == first.sentences != ()
    took, now = first.timings, timed.timings
    assert took.first_word_ms
    assert now.first_word_ms
    assert now.total_ms > now.first_word_ms > now.evidence_ms > now.retrieve_ms
    assert now.total_ms - now.evidence_ms >= took.total_ms - took.first_word_ms
    # The text that made the follow-up standalone was waited for before the search.
    assert (now.retrieve_ms - second.timings.retrieve_ms > 0) == refers_back
