from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import socket
import threading
from collections.abc import Generator
from typing import Any

import pytest

from index.errors import ModelError
from index.settings import BUNDLED_MODEL, PLAIN_MODEL, Settings, load_settings
from prompts import Message
from rag.models.llm import LLM, Stopped, Usage, Waiting, to_the_end, whole

pytestmark = pytest.mark.loopback

MESSAGES = [Message("system", "Be brief."), Message("user", "When did it open?")]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is tried again after a pause; tests/rag/models/test_endpoint.py looks at the pauses."""
    monkeypatch.setattr("rag.models.endpoint.sleep", lambda seconds: None)


def collect(llm: LLM) -> tuple[list[str | Waiting], Usage]:
    pieces: list[str | Waiting] = []
    writing = llm.write(MESSAGES, 60)
    while True:
        try:
            pieces.append(next(writing))
        except StopIteration as end:
            return pieces, end.value


@pytest.fixture
def llm(endpoint: Any) -> Any:
    with contextlib.closing(LLM(load_settings())) as llm:
        yield llm


def test_pieces_come_as_they_are_written_and_the_cost_at_the_end(llm: LLM, endpoint: Any) -> None:
    pieces, usage = collect(llm)
    assert pieces == endpoint.pieces
    assert usage == Usage(prompt_tokens=90, cached_tokens=40, completion_tokens=7, finish="stop")


def test_the_endpoint_gets_the_prompt_the_key_and_settings_that_repeat(llm: LLM, endpoint: Any) -> None:
    collect(llm)
    (request,) = endpoint.requests
    assert [(m["role"], m["content"]) for m in request["messages"]] == [(m.role, m.content) for m in MESSAGES]
    assert request["model"] == llm.name == "fake-model"
    assert (request["temperature"], request["seed"], request["stream"]) == (0.0, 0, True)
    assert request["max_tokens"] == 60
    assert endpoint.keys == ["Bearer secret-key"]


def test_the_likeliest_tokens_are_asked_for_and_told_with_the_cost(llm: LLM, endpoint: Any) -> None:
    likeliest = [{"token": "yes", "logprob": -0.5}, {"token": " no", "logprob": -1.0}]
    chunk = {
        "object": "chat.completion.chunk",
        "choices": [
            {
                "index": 0,
                "delta": {"content": "yes"},
                "finish_reason": "length",
                "logprobs": {"content": [{"token": "yes", "logprob": -0.5, "top_logprobs": likeliest}]},
            }
        ],
    }
    endpoint.raw = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
    text, usage = to_the_end(llm.write(MESSAGES, 1, likely=True, aside=True))
    assert text == "yes"
    (likely,) = usage.likely
    assert likely == pytest.approx({"yes": math.exp(-0.5), "no": math.exp(-1)})
    assert endpoint.requests[0]["logprobs"] is True
    assert len(endpoint.requests[0]["messages"]) == 2, "an endpoint gets the whole prompt"


def test_a_text_is_what_was_written_without_the_waiting() -> None:
    def writing() -> Generator[str | Waiting, None, Usage]:
        yield Waiting(1)
        yield "It "
        yield Waiting(0)
        yield "opened."
        return Usage(3)

    assert to_the_end(writing()) == ("It opened.", Usage(3))
    assert whole(writing()) == "It opened."


def test_a_stop_ends_the_writing_at_once(llm: LLM, endpoint: Any) -> None:
    endpoint.endless, stop = True, threading.Event()
    writing = llm.write(MESSAGES, 60, stop)
    next(writing)
    stop.set()
    with pytest.raises(Stopped):
        next(writing)
    assert endpoint.hung_up.wait(5)


@pytest.mark.parametrize(("model", "trained"), [(BUNDLED_MODEL, True), (PLAIN_MODEL, False), ("own.gguf", False)])
def test_only_the_bundled_reader_was_trained_to_read(settings: Settings, model: str, trained: bool) -> None:
    assert LLM(dataclasses.replace(settings, model=model)).is_trained is trained
    behind = dataclasses.replace(settings, model=model, endpoint="http://127.0.0.1:1/v1")
    assert not LLM(behind).is_trained, "an endpoint may call anything so"


def test_an_endpoint_that_tells_no_cost_costs_nothing_known(llm: LLM, endpoint: Any) -> None:
    endpoint.raw = (
        b'data: {"id":"c","object":"chat.completion.chunk","created":0,"model":"m","choices":'
        b'[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\ndata: [DONE]\n\n'
    )
    assert collect(llm) == (["Hi"], Usage())


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_a_refusal_of_the_endpoint_is_an_error_with_its_reason_and_a_remedy(
    llm: LLM, endpoint: Any, status: int
) -> None:
    endpoint.status = status
    with pytest.raises(ModelError) as caught:
        collect(llm)
    for word in ("fake-model", endpoint.url, "on fire", "dateline doctor"):
        assert word in str(caught.value)
    assert "secret-key" not in str(caught.value)


def test_an_endpoint_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    monkeypatch.setenv("DATELINE_LLM_ENDPOINT", url)
    with pytest.raises(ModelError, match="did not answer"):
        collect(LLM(load_settings()))


def test_a_stream_that_breaks_off_is_an_error_after_what_was_written(llm: LLM, endpoint: Any) -> None:
    endpoint.raw = (
        b'data: {"id":"c","object":"chat.completion.chunk","created":0,"model":"m","choices":'
        b'[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n'
    )
    endpoint.broken = True
    writing = llm.write(MESSAGES, 60)
    assert next(writing) == "Hi"
    with pytest.raises(ModelError):
        next(writing)


@pytest.mark.parametrize("raw", [b"data: {not json\n\n", b'data: {"error": {"message": "out of memory"}}\n\n'])
def test_a_stream_of_something_else_is_an_error(llm: LLM, endpoint: Any, raw: bytes) -> None:
    endpoint.raw = raw
    with pytest.raises(ModelError):
        collect(llm)


def test_closing_the_generator_closes_the_connection(llm: LLM, endpoint: Any) -> None:
    endpoint.endless = True
    writing = llm.write(MESSAGES, 60)
    next(writing)
    next(writing)
    writing.close()
    assert endpoint.hung_up.wait(5), "the endpoint goes on writing to nobody"


def test_nothing_is_sent_before_the_first_piece_is_asked_for(llm: LLM, endpoint: Any) -> None:
    llm.write(MESSAGES, 60).close()
    assert endpoint.requests == []


def test_starting_starts_nothing_for_an_endpoint(llm: LLM, endpoint: Any) -> None:
    llm.start()
    assert endpoint.requests == []


def test_tokens_are_counted_offline(llm: LLM, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert llm.count(["Hello world", "", "Hello world " * 50]) == [2, 0, 101]


def test_special_tokens_in_a_text_are_counted_as_text(llm: LLM) -> None:
    assert llm.count(["<|endoftext|>"])[0] > 1
