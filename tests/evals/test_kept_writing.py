"""What the model wrote is kept apart from what became of it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evals.kept_writing import KeptWriting
from index.article import Article
from index.embedding import Embedder
from index.errors import ModelError
from index.search import Index
from index.settings import load_settings
from prompts import Message
from rag.assistant import Assistant
from rag.models.llm import Usage
from rag.types import Answer, Models, Timings, Turn

pytestmark = pytest.mark.loopback

PROMPT = [Message("system", "Answer."), Message("user", "When was the harbour opened?")]


@pytest.fixture
def kept(endpoint: Any, shared_embedder: Embedder) -> Callable[..., KeptWriting]:
    def kept(fresh: bool = False, **other: Any) -> KeptWriting:
        return KeptWriting(dataclasses.replace(load_settings(), **other), fresh)

    return kept


def written(
    llm: KeptWriting, messages: Sequence[Message] = PROMPT, max_tokens: int = 20, **more: Any
) -> tuple[list[str], Usage]:
    pieces, writing = [], llm.write(messages, max_tokens, **more)
    while True:
        try:
            pieces.append(next(writing))
        except StopIteration as end:
            return pieces, end.value


def kept_files() -> list[Path]:
    return list((load_settings().cache / "evals" / "writing").rglob("*.json"))


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
    written(kept(), likely=True)
    written(kept(), without="None")
    written(kept(model="another"))
    written(kept(context_tokens=2048))
    written(kept(fresh=True))
    assert len(endpoint.requests) == 9
    written(kept(evidence_tokens=100))  # shapes the prompt, not the text that follows from it
    written(kept(), aside=True)  # says how the prompt is read, and changes nothing of what is written to it
    assert len(endpoint.requests) == 9


def test_the_likeliest_words_are_kept_with_a_text(kept: Callable[..., KeptWriting], endpoint: Any) -> None:
    told = [{"token": "yes", "logprob": math.log(0.75)}, {"token": " no", "logprob": math.log(0.25)}]
    choice = {
        "index": 0,
        "delta": {"content": "yes"},
        "logprobs": {"content": [{"token": "yes", "top_logprobs": told}]},
    }
    endpoint.raw = f"data: {json.dumps({'choices': [choice]})}\n\ndata: [DONE]\n\n".encode()
    _, first = written(kept(), likely=True)
    pieces, again = written(kept(), likely=True)
    assert first.likely == ({"yes": pytest.approx(0.75), "no": pytest.approx(0.25)},)
    assert again == first
    assert (pieces, len(endpoint.requests)) == (["yes"], 1)


def test_a_text_broken_off_is_not_kept(kept: Callable[..., KeptWriting], endpoint: Any) -> None:
    llm = kept()
    writing = llm.write(PROMPT, 20)
    next(writing)
    writing.close()
    assert written(llm)[0] == endpoint.pieces
    assert len(endpoint.requests) == 2


def test_a_damaged_file_is_a_text_to_be_written(kept: Callable[..., KeptWriting], endpoint: Any) -> None:
    written(kept())
    (file,) = kept_files()
    for damaged in (
        "{",
        '{"text": ""}',
        '{"text": "It was.", "usage": {"tokens": 1}, "first_word_ms": 1, "total_ms": 2}',
    ):
        file.write_text(damaged)
        assert written(kept())[0] == endpoint.pieces
    assert len(endpoint.requests) == 4


@pytest.mark.parametrize(("refers_back", "writes"), [(False, True), (True, True), (False, False)])
def test_an_answer_says_how_long_its_texts_took_when_they_were_written(
    refers_back: bool, writes: bool, kept: Callable[..., KeptWriting], endpoint: Any, shared_embedder: Embedder
) -> None:
    about = "When was the harbour of Gwadar opened?"
    history = (Turn("user", "Where is the harbour of Gwadar?"), Turn("assistant", "It is in the west."))
    endpoint.pieces = [f"{about} It was", " opened in 2007 [1]."] if writes else []
    given: list[Answer] = []

    def ask() -> Answer:
        asked = {"question": "When was it opened?", "history": history} if refers_back else {"question": about}
        given.append(Assistant(load_settings(), corpus, llm).ask(**asked))  # type: ignore[arg-type]
        return given[-1]

    with Index.in_memory(
        [Article("a", "", "The harbour of Gwadar was opened in 2007. It rained.")], shared_embedder
    ) as corpus:
        llm = kept()
        assert llm.as_written(ask) == given[0]
        llm = kept()
        timed = llm.as_written(ask)
    assert timed == dataclasses.replace(given[1], timings=timed.timings)
    assert (timed.sentences == given[0].sentences != ()) == writes
    assert (len(endpoint.requests), endpoint.verdicts) == (1 + refers_back, writes)
    times = [json.loads(file.read_text()) for file in kept_files()]
    assert len(times) == len(endpoint.requests) + endpoint.verdicts
    now, then = timed.timings, given[1].timings
    assert now.total_ms - then.total_ms == pytest.approx(sum(each["total_ms"] for each in times))
    # The text that made the follow-up standalone was waited for before the search.
    before = now.retrieve_ms - then.retrieve_ms
    assert now.evidence_ms - then.evidence_ms == pytest.approx(before)
    assert any(before == pytest.approx(each["total_ms"]) for each in times) == refers_back
    assert (before == 0) != refers_back
    if writes:
        first = now.first_word_ms - then.first_word_ms - before  # type: ignore[operator]
        assert any(first == pytest.approx(each["first_word_ms"]) for each in times)
    else:
        assert now.first_word_ms is None


def test_the_first_word_of_a_reader_waits_for_what_tells_whether_there_is_an_answer(
    kept: Callable[..., KeptWriting], endpoint: Any, shared_embedder: Embedder
) -> None:
    given = []

    def ask() -> Answer:
        given.append(Assistant(load_settings(), corpus, llm).ask("When was the harbour of Gwadar opened?"))
        return given[-1]

    with Index.in_memory(
        [Article("a", "", "The harbour of Gwadar was opened in 2007. It rained.")], shared_embedder
    ) as corpus:
        for _ in range(2):
            llm = kept()
            llm.is_trained = True
            timed = llm.as_written(ask)
    assert (len(endpoint.requests), endpoint.verdicts) == (2, 1), "the first word, and a whole answer"
    now, then = timed.timings, given[1].timings
    times = [json.loads(file.read_text()) for file in kept_files()]
    assert now.total_ms - then.total_ms == pytest.approx(sum(each["total_ms"] for each in times))
    assert now.retrieve_ms == then.retrieve_ms
    first = now.first_word_ms - then.first_word_ms  # type: ignore[operator]
    waits = [one["total_ms"] + own["first_word_ms"] for one in times for own in times if own is not one]
    assert any(first == pytest.approx(each) for each in waits)


def test_a_question_that_failed_leaves_no_time_behind(kept: Callable[..., KeptWriting], endpoint: Any) -> None:
    written(kept())
    llm = kept()

    def fails() -> Answer:
        written(llm)
        raise ModelError("The model is gone.")

    with pytest.raises(ModelError):
        llm.as_written(fails)
    answer = Answer("q", "q", "", (), True, 0.0, (), Timings(1, 2, None, 3), Usage(), Models("", ""), "", 0)
    assert llm.as_written(lambda: answer) == answer
