"""The client against a real llama.cpp server and against one that misbehaves."""

from __future__ import annotations

import base64
import contextlib
import logging
import math
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from typing import Any

import httpx
import pytest

from index.errors import ModelError
from index.settings import load_settings
from prompts import Message
from rag.models import endpoint as module
from rag.models.endpoint import Endpoint, Patience, Usage
from rag.models.files import is_ready, prepare
from rag.models.tokens import count_o200k
from tests.rag.models import odd_server as odd
from tests.rag.models.odd_server import DONE, OddServer, delta, error, event, events, status, stream

pytestmark = pytest.mark.loopback

MESSAGES = [Message("system", "Be brief."), Message("user", "When did it open?")]
KEY = "sk-very-secret-0123456789"
LLAMA_KEY = "llama-secret"
USAGE = {
    "prompt_tokens": 90,
    "completion_tokens": 7,
    "total_tokens": 97,
    "prompt_tokens_details": {"cached_tokens": 40},
}
# Before any fixture gives a test a cache of its own: the model file is shared, and made by `make model`.
SETTINGS = load_settings()
LLAMA = """
import os, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.model_alias = {"bundled"}
params.n_parallel = 1
params.n_ctx = 512
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
params.hostnames = ["127.0.0.1"]
params.port = 0
params.api_keys = [sys.argv[2]]
params.ui = False
params.endpoint_slots = True
params.verbosity = 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
os._exit(0)
"""


def collect(writing: Generator[str, None, Usage]) -> tuple[list[str], Usage]:
    pieces: list[str] = []
    while True:
        try:
            pieces.append(next(writing))
        except StopIteration as end:
            return pieces, end.value


@pytest.fixture
def server() -> Iterator[OddServer]:
    server = OddServer()
    yield server
    server.close()


@pytest.fixture
def llm(server: OddServer) -> Endpoint:
    return Endpoint(server.url, "fake-model", KEY)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, which take no time; the clock goes on by them."""
    pauses: list[float] = []
    monkeypatch.setattr(module, "sleep", pauses.append)
    monkeypatch.setattr(module, "monotonic", lambda: time.monotonic() + sum(pauses))
    return pauses


def failing(llm: Endpoint, act: Callable[[], Any] | None = None) -> str:
    """The message of the error that writing, or `act`, ends with; no key is in it or in its traceback."""
    with pytest.raises(ModelError) as caught:
        act() if act else collect(llm.write(MESSAGES, 60))
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(llm)
    assert KEY not in shown
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    return str(caught.value)


# What is sent, and what comes


def test_pieces_come_in_order_and_the_cost_at_the_end(server: OddServer, llm: Endpoint) -> None:
    server.script = [stream("The harbour", " opened", " in 2007.", usage=USAGE)]
    assert collect(llm.write(MESSAGES, 60)) == (["The harbour", " opened", " in 2007."], Usage(90, 40, 7, "stop"))


def test_the_request_repeats_and_carries_the_key_and_the_extra_fields(server: OddServer, llm: Endpoint) -> None:
    collect(llm.write(MESSAGES, 60, {"id_slot": 1}))
    (request,) = server.requests
    assert request == {
        "path": "/v1/chat/completions",
        "model": "fake-model",
        "messages": [{"role": m.role, "content": m.content} for m in MESSAGES],
        "temperature": 0,
        "seed": 0,
        "max_tokens": 60,
        "stream": True,
        "stream_options": {"include_usage": True},
        "id_slot": 1,
    }
    assert server.keys == [f"Bearer {KEY}"]


def test_the_library_s_own_variables_are_not_sent(server: OddServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-someone-else")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-for-someone-else")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://someone.invalid/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer sk-for-someone-else")
    collect(Endpoint(server.url, "fake-model").write(MESSAGES, 60))
    assert server.keys == [""]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_is_not_for_this_machine(server: OddServer, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert collect(Endpoint(server.url, "fake-model").write(MESSAGES, 60))[0] == ["Hi"]


@pytest.mark.parametrize("proxy", ["http://me:hunter2@127.0.0.1:{}", "socks9://me:hunter2@127.0.0.1:{}"])
def test_a_proxy_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, slept: list[float], proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.format(free_port()))
    llm = Endpoint("https://nowhere.invalid/v1", "fake-model", KEY)
    assert "hunter2" not in failing(llm) + failing(llm, llm.check)
    assert llm.window() is None and llm.count(["Hello world"]) == [2]


def test_nothing_is_sent_before_the_first_piece_is_asked_for(server: OddServer, llm: Endpoint) -> None:
    llm.write(MESSAGES, 60).close()
    assert server.requests == []


@pytest.mark.parametrize(
    ("answer", "pieces", "usage"),
    [
        (stream("Hi", finish="length"), ["Hi"], Usage(finish="length")),
        (stream("Hi", finish=None), ["Hi"], Usage()),
        (stream("Hi", done=False), ["Hi"], Usage(finish="stop")),
        (stream(finish="content_filter"), [], Usage(finish="content_filter")),
        (stream(finish="stop", done=False), [], Usage(finish="stop")),
        (events(delta(role="assistant", content=None), delta(content="Hi"), DONE), ["Hi"], Usage()),
        (events(delta(reasoning_content="Hm."), delta(reasoning="Hm."), delta(content="Hi"), DONE), ["Hi"], Usage()),
        (events(event(choices=[], prompt_filter_results=[{}]), delta(content="Hi"), DONE), ["Hi"], Usage()),
        (events(event(choices=[], usage=USAGE), delta(content="Hi"), DONE), ["Hi"], Usage(90, 40, 7)),
        (events(delta(content="Hi"), event(choices=[], usage={"prompt_tokens": 3}), DONE), ["Hi"], Usage(3)),
        (events(delta(content="Hi"), event(choices=None, usage=None), DONE), ["Hi"], Usage()),
        (events(b": keep-alive\n\n", b"event: message\nid: 1\n", delta(content="Hi"), DONE), ["Hi"], Usage()),
        (events(delta(content="Hi").replace(b"\n", b"\r\n"), b"data:[DONE]"), ["Hi"], Usage()),
        (
            events(delta(content="a\u2028b\x85c")[:-20], delta(content="a\u2028b\x85c")[-20:], DONE),
            ["a\u2028b\x85c"],
            Usage(),
        ),
        (events(delta(content="Hi"), DONE, chunked=False), ["Hi"], Usage()),
    ],
)
def test_every_dialect_of_the_stream_is_read(
    server: OddServer, llm: Endpoint, answer: odd.Answer, pieces: list[str], usage: Usage
) -> None:
    server.script = [answer]
    assert collect(llm.write(MESSAGES, 60)) == (pieces, usage)


def test_parameters_that_a_model_refuses_are_left_out_from_then_on(server: OddServer, llm: Endpoint) -> None:
    server.script = [
        error(400, "Use 'max_completion_tokens' instead.", code="unsupported_parameter", param="max_tokens"),
        error(400, "Only the default (1) value is supported.", code="unsupported_value", param="temperature"),
        stream("Hi"),
    ]
    collect(llm.write(MESSAGES, 60))
    collect(llm.write(MESSAGES, 50))
    assert [r.get("max_tokens") for r in server.requests] == [60, None, None, None]
    assert [r.get("max_completion_tokens") for r in server.requests] == [None, 60, 60, 50]
    assert ["temperature" in r for r in server.requests] == [True, True, False, False]


def told(*places: Any) -> bytes:
    """A piece with the likeliest tokens of each of its places."""
    logprobs = {"content": [{"token": "x", "logprob": 0.0, "top_logprobs": place} for place in places]}
    return event(choices=[{"index": 0, "delta": {"content": "yes"}, "finish_reason": None, "logprobs": logprobs}])


def place(**shares: float) -> list[dict[str, Any]]:
    return [{"token": token, "logprob": math.log(share)} for token, share in shares.items()]


def test_the_likeliest_tokens_are_asked_for_only_where_they_are_wanted(server: OddServer, llm: Endpoint) -> None:
    collect(llm.write(MESSAGES, 1, likely=True))
    collect(llm.write(MESSAGES, 1))
    assert server.requests[0]["logprobs"] is True
    assert 4 <= server.requests[0]["top_logprobs"] <= 20, "OpenAI tells at most 20"
    assert not {"logprobs", "top_logprobs"} & set(server.requests[1])


def test_the_likeliest_tokens_of_each_place_are_read_as_probabilities(server: OddServer, llm: Endpoint) -> None:
    server.script = [events(told(place(yes=0.75, no=0.25)), told(place(part=0.5), place(no=1.0)), DONE)]
    pieces, usage = collect(llm.write(MESSAGES, 3, likely=True))
    assert pieces == ["yes", "yes"]
    assert [pytest.approx(likely) for likely in usage.likely] == [{"yes": 0.75, "no": 0.25}, {"part": 0.5}, {"no": 1.0}]


def test_tokens_that_differ_in_white_space_alone_are_one(server: OddServer, llm: Endpoint) -> None:
    server.script = [events(told(place(**{"yes": 0.5, " yes": 0.25, "\n": 0.125})), DONE)]
    (likely,) = collect(llm.write(MESSAGES, 1, likely=True))[1].likely
    assert likely == {"yes": pytest.approx(0.75), "": pytest.approx(0.125)}


@pytest.mark.parametrize("odd_place", [None, "?", [None], [{}], [{"token": "yes"}], [{"token": 7, "logprob": 0.0}]])
def test_a_place_of_which_nothing_is_told_keeps_its_place(server: OddServer, llm: Endpoint, odd_place: Any) -> None:
    server.script = [events(told(odd_place, place(no=1.0)), DONE)]
    assert collect(llm.write(MESSAGES, 2, likely=True))[1].likely == ({}, {"no": 1.0})


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": []}])
def test_a_server_that_tells_no_likeliest_tokens_is_read_all_the_same(
    server: OddServer, llm: Endpoint, logprobs: Any
) -> None:
    choice = {"index": 0, "delta": {"content": "yes"}, "finish_reason": "stop", "logprobs": logprobs}
    server.script = [events(event(choices=[choice]), DONE)]
    assert collect(llm.write(MESSAGES, 1, likely=True)) == (["yes"], Usage(finish="stop"))


def test_a_model_that_refuses_to_tell_the_likeliest_tokens_is_asked_without_from_then_on(
    server: OddServer, llm: Endpoint
) -> None:
    server.script = [
        error(400, "Not with this model.", code="unsupported_parameter", param="logprobs"),
        error(400, "Needs logprobs.", code="unsupported_parameter", param="top_logprobs"),
        stream("yes"),
    ]
    assert collect(llm.write(MESSAGES, 1, likely=True)) == (["yes"], Usage(finish="stop"))
    collect(llm.write(MESSAGES, 1, likely=True))
    asked = [{"logprobs", "top_logprobs"} & set(request) for request in server.requests]
    assert asked == [{"logprobs", "top_logprobs"}, {"top_logprobs"}, set(), set()]


def test_a_parameter_that_is_refused_again_is_an_error(server: OddServer, llm: Endpoint) -> None:
    server.script = [error(400, "No seed.", code="unsupported_parameter", param="seed")]
    assert "No seed" in failing(llm)
    assert len(server.requests) == 2


def test_closing_the_generator_closes_the_connection(server: OddServer, llm: Endpoint) -> None:
    server.script = [events(*odd.endless(delta(content="on ")))]
    writing = llm.write(MESSAGES, 60)
    assert [next(writing), next(writing)] == ["on ", "on "]
    writing.close()
    assert server.hung_up.wait(5), "the endpoint goes on writing to nobody"


def test_no_thread_is_left_behind(server: OddServer, llm: Endpoint) -> None:
    collect(llm.write(MESSAGES, 60))
    llm.write(MESSAGES, 60).close()
    watching = [thread for thread in threading.enumerate() if thread.name == "watching an endpoint"]
    for thread in watching:
        thread.join(5)
        assert not thread.is_alive()


# Trying again


@pytest.mark.parametrize(
    "bad", [error(500, "on fire"), error(503, "Loading model"), error(429, "slow down"), error(408, "?"), odd.hang_up,
            status(502, "<html>Bad gateway</html>"), events(delta(role="assistant"), cut=True)]
)  # fmt: skip
def test_what_may_pass_is_tried_again(server: OddServer, llm: Endpoint, slept: list[float], bad: odd.Answer) -> None:
    server.script = [bad, bad, stream("Hi")]
    assert collect(llm.write(MESSAGES, 60))[0] == ["Hi"]
    assert len(server.requests) == 3
    assert 0.5 <= slept[0] <= 0.625 and 1.0 <= slept[1] <= 1.25


def test_the_pause_that_a_server_asks_for_is_kept(server: OddServer, llm: Endpoint, slept: list[float]) -> None:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    server.script = [
        error(429, "slow down", headers={"Retry_After": "17"}),
        error(503, "busy", headers={"Retry_After": date}),
        error(429, "slow down", headers={"Retry_After": "tomorrow"}),
        error(429, "slow down", headers={"Retry_After": "0"}),
        stream("Hi"),
    ]
    assert collect(llm.write(MESSAGES, 60))[0] == ["Hi"]
    assert 17 <= slept[0] <= 17 * 1.25
    assert 50 <= slept[1] <= 60 * 1.25
    assert 2 <= slept[2] <= 2.5 and 4 <= slept[3] <= 5


def test_a_pause_beyond_all_patience_is_not_waited_for(server: OddServer, llm: Endpoint, slept: list[float]) -> None:
    server.script = [error(429, "slow down", headers={"Retry_After": "3600"})]
    message = failing(llm)
    assert slept == [] and len(server.requests) == 1
    assert "3600 s" in message and "300 s" in message and "limit" in message


def test_patience_ends_and_the_message_says_so(server: OddServer, llm: Endpoint, slept: list[float]) -> None:
    server.script = [error(429, "slow down")]
    message = failing(llm)
    assert len(server.requests) == Patience().attempts == len(slept) + 1
    assert f"{Patience().attempts} attempts" in message and "300 s" in message and "slow down" in message


def test_attempts_end_with_the_time_for_all_of_them(server: OddServer, slept: list[float]) -> None:
    llm = Endpoint(server.url, "fake-model", KEY, patience=Patience(total=4))
    server.script = [error(500, "on fire")]
    assert "in 4 s" in failing(llm)
    assert sum(slept) < 4 and len(server.requests) < Patience().attempts


@pytest.mark.parametrize(
    "bad", [error(400, "no"), error(401, "no"), error(403, "no"), error(404, "no"), status(200, "<html></html>"),
            error(429, "You exceeded your quota", code="insufficient_quota")]
)  # fmt: skip
def test_what_will_not_pass_is_not_tried_again(
    server: OddServer, llm: Endpoint, slept: list[float], bad: odd.Answer
) -> None:
    server.script = [bad]
    failing(llm)
    assert len(server.requests) == 1 and slept == []


@pytest.mark.parametrize(
    ("rest", "word"),
    [
        (events(delta(content="Hi"), cut=True), "peer closed"),
        (events(delta(content="Hi")), "end mark"),
        (events(delta(content="Hi"), chunked=False), "end mark"),
        (events(delta(content="Hi"), event(error={"message": "out of memory", "code": 500})), "out of memory"),
        (events(delta(content="Hi"), b"data: {not json\n\n"), "not json"),
        (events(delta(reasoning_content="Hm"), cut=True), "peer closed"),
    ],
)
def test_nothing_is_tried_again_after_the_first_token(
    server: OddServer, llm: Endpoint, slept: list[float], rest: odd.Answer, word: str
) -> None:
    server.script = [rest]
    pieces: list[str] = []
    message = failing(llm, lambda: pieces.extend(llm.write(MESSAGES, 60)))
    assert pieces in (["Hi"], [])
    assert "incomplete" in message and word in message
    assert len(server.requests) == 1 and slept == []


# Time-outs


def test_a_first_token_may_take_longer_than_the_others(server: OddServer) -> None:
    llm = Endpoint(server.url, "fake-model", patience=Patience(first=20, between=0.4))
    server.script = [events(delta(role="assistant"), 1.5, delta(content="Hi"), DONE)]
    assert collect(llm.write(MESSAGES, 60))[0] == ["Hi"]


@pytest.mark.parametrize(
    "slow", [events(30), events(delta(role="assistant"), 30), events(*(b": ping\n\n", 0.2) * 150)]
)  # fmt: skip
def test_a_first_token_that_does_not_come_is_given_up(server: OddServer, slow: odd.Answer) -> None:
    llm = Endpoint(server.url, "fake-model", KEY, patience=Patience(first=1))
    server.script = [slow]
    began = time.monotonic()
    assert "too long" in failing(llm)
    assert time.monotonic() - began < 15
    assert len(server.requests) == 1


@pytest.mark.parametrize("silence", [[30], [b": ping\n\n", 0.2] * 150], ids=["dead", "pings"])
def test_a_stream_that_stalls_is_given_up_as_incomplete(server: OddServer, silence: list[Any]) -> None:
    llm = Endpoint(server.url, "fake-model", KEY, patience=Patience(between=0.6))
    server.script = [events(delta(content="Hi"), *silence, delta(content="there"), DONE)]
    pieces: list[str] = []
    began = time.monotonic()
    message = failing(llm, lambda: pieces.extend(llm.write(MESSAGES, 60)))
    assert time.monotonic() - began < 15
    assert pieces == ["Hi"]
    assert "incomplete" in message and "0.6 s" in message


def test_a_reader_may_be_slower_than_the_model(server: OddServer) -> None:
    llm = Endpoint(server.url, "fake-model", patience=Patience(between=0.4))
    server.script = [stream("a", "b")]
    pieces = []
    for piece in llm.write(MESSAGES, 60):
        pieces.append(piece)
        time.sleep(1.0)
    assert pieces == ["a", "b"]


@pytest.mark.parametrize("where", ["first token", "between tokens", "pause"])
def test_ctrl_c_ends_every_wait(server: OddServer, llm: Endpoint, where: str) -> None:
    waits = {
        "first token": events(30),
        "between tokens": events(delta(content="Hi"), 30),
        "pause": error(429, "slow down", headers={"Retry_After": "30"}),
    }
    server.script = [waits[where]]
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(1.0, lambda: signal.pthread_kill(main, signal.SIGINT))
    began = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        collect(llm.write(MESSAGES, 60))
    timer.join()
    assert time.monotonic() - began < 15


# Errors told apart


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (error(401, "Bad key"), ["because of the key", "Bad key", "DATELINE_LLM_API_KEY"]),
        (status(403, "<html>Forbidden</html>"), ["because of the key", "HTML page", "DATELINE_LLM_API_KEY"]),
        (error(404, "model 'fake-model' not found"), ["not known", "DATELINE_MODEL"]),
        (error(403, "Project has no access to model", code="model_not_found"), ["not known", "DATELINE_MODEL"]),
        (error(400, "Invalid model name passed in model=fake-model"), ["not known", "DATELINE_MODEL"]),
        (status(404, {"detail": "Not Found"}), ["no answer of an OpenAI", "Not Found", "DATELINE_LLM_ENDPOINT"]),
        (status(404, "<!DOCTYPE html>"), ["no answer of an OpenAI", "HTML page", "DATELINE_LLM_ENDPOINT"]),
        (status(200, "<!DOCTYPE html>"), ["no answer of an OpenAI", "HTML page", "DATELINE_LLM_ENDPOINT"]),
        (status(200, {"answer": 42}), ["no answer of an OpenAI", "42", "DATELINE_LLM_ENDPOINT"]),
        (events(b"data: [1, 2]\n\n"), ["no answer of an OpenAI", "[1, 2]"]),
        (events(b"data: {not json\n\n"), ["no answer of an OpenAI", "not json"]),
        (
            status(308, "", Location="https://elsewhere.example/v1?token=x"),
            ["redirects to https://elsewhere.example/v1. "],
        ),
        (status(405, ""), ["no answer of an OpenAI", "HTTP 405"]),
        (error(402, "Pay"), ["no credit", "Pay"]),
        (
            error(
                400,
                "This model's maximum context length is 4096 tokens, you asked for 5000.",
                code="context_length_exceeded",
            ),
            ["too small a context", "4096", "5000", "DATELINE_LLM_CONTEXT"],
        ),
        (status(413, "<html></html>"), ["too small a context", "DATELINE_EVIDENCE_TOKENS"]),
        (error(422, "top_k: unknown field"), ["refused the request", "unknown field"]),
        (status(400, [{"error": {"message": "Google's way"}}]), ["refused the request", "Google's way"]),
        (status(400, {"error": "a bare text"}), ["refused the request", "a bare text"]),
    ],
)
def test_each_failure_has_its_message_and_remedy(
    server: OddServer, llm: Endpoint, answer: odd.Answer, words: list[str]
) -> None:
    server.script = [answer]
    message = failing(llm)
    for word in ["fake-model", server.url, *words]:
        assert word in message
    assert len(message) < 800


def test_an_unknown_model_is_told_with_the_known_ones(server: OddServer) -> None:
    server.script = [status(404, {"detail": "Not Found"})]
    server.pages["/v1/models"] = {"data": [{"id": f"model-{n:02}"} for n in range(30)]}
    message = failing(Endpoint(server.url, "fake-model", KEY))
    assert "not known" in message
    assert "model-00, model-01" in message and "model-19 and 10 more" in message


def test_a_server_s_failure_is_told_after_all_attempts(server: OddServer, llm: Endpoint, slept: list[float]) -> None:
    server.script = [error(500, "on fire")]
    message = failing(llm)
    assert "server's side" in message and "on fire" in message


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_nobody_at_the_address(slept: list[float]) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    message = failing(Endpoint(url, "fake-model", KEY))
    assert "did not answer" in message and url in message and "refused" in message
    assert "DATELINE_LLM_ENDPOINT" in message and len(slept) == Patience().attempts - 1


def test_a_name_that_nobody_has(slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    message = failing(Endpoint("https://nowhere.invalid/v1", "fake-model", KEY))
    assert "did not answer" in message and "Name or service not known" in message


@pytest.mark.parametrize(
    ("path", "hint"),
    [("", "end in /v1: try {root}/v1"), ("/v1/v1/", "doubled: try {root}/v1."),
     ("/v1/chat/completions", "Leave out /chat/completions")],
)  # fmt: skip
def test_a_path_that_looks_wrong_is_told(server: OddServer, path: str, hint: str) -> None:
    message = failing(Endpoint(server.root + path, "fake-model", KEY))
    assert hint.format(root=server.root) in message


@pytest.mark.parametrize(
    "value", ["", "localhost:11434/v1", "me:hunter2@host/v1?api_key=s3cret", "ftp://x/v1", "http://"]
)
def test_an_address_that_is_none_is_told_at_once(value: str) -> None:
    with pytest.raises(ModelError, match="DATELINE_LLM_ENDPOINT") as caught:
        Endpoint(value, "fake-model")
    assert "hunter2" not in str(caught.value) and "s3cret" not in str(caught.value)


def test_an_endpoint_that_no_setting_names_has_a_remedy_of_its_own(server: OddServer) -> None:
    server.script = [error(401, "Bad key")]
    message = failing(Endpoint(server.url, "fake-model", KEY, remedy="Ask again"))
    assert "Ask again" in message and "DATELINE_" not in message


# Keys


def test_a_key_may_be_named_by_a_variable(server: OddServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    collect(Endpoint(server.url, "fake-model", "env:MY_KEY").write(MESSAGES, 60))
    assert server.keys == [f"Bearer {KEY}"]
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(ModelError, match="MY_KEY is not set"):
        Endpoint(server.url, "fake-model", "env:MY_KEY")


@pytest.mark.parametrize("key", ["two words-of-a-key", "line\nend-of-a-key", "schlüssel"])
def test_a_key_that_cannot_be_one_is_told_without_it(server: OddServer, key: str) -> None:
    with pytest.raises(ModelError, match="DATELINE_LLM_API_KEY") as caught:
        Endpoint(server.url, "fake-model", key)
    assert key[-6:] not in str(caught.value)


def test_credentials_in_the_address_are_sent_and_never_shown(
    server: OddServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    basic = base64.b64encode(b"me:hunter2").decode()
    server.script = [error(401, f"Basic {basic} is me:hunter2, hunter2")]
    url = server.url.replace("http://", "http://me:hunter2@")
    message = failing(Endpoint(f"{url}/?api-version=2", "fake-model"))
    assert server.keys == [f"Basic {basic}"]
    assert server.requests[0]["path"] == "/v1/chat/completions?api-version=2"
    server.script = [error(401, f"{KEY} is wrong")]
    message += failing(Endpoint(f"{server.url}?api_key={KEY}", "fake-model"))
    assert server.keys[-1] == f"Bearer {KEY}"
    for secret in ("hunter2", basic, KEY):
        assert secret not in message + caplog.text
    assert server.url in message


def test_a_key_that_the_server_echoes_is_hidden(
    server: OddServer, llm: Endpoint, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.pages["/v1/models"] = {"data": [{"id": f"for-{KEY}"}]}
    for answer in (
        error(401, f"Incorrect API key provided: {KEY}."),
        error(500, f"Bearer {KEY}"),
        error(404, f"model {KEY} not found"),
        status(200, f"<p>{KEY}</p>"),
        events(delta(content="Hi"), event(error=f"{KEY} expired")),
        error(400, "x" * 385 + KEY),
    ):
        server.script = [answer]
        assert "[hidden]" in failing(llm)
    assert "[hidden]" in failing(llm, llm.check)
    assert KEY not in caplog.text and KEY[:12] not in caplog.text


# What servers tell of themselves


LISTED = "/v1/models"
OLLAMA = {"model_info": {"general.architecture": "qwen2", "qwen2.context_length": 32768}}


@pytest.mark.parametrize(
    ("pages", "configured", "window"),
    [
        (
            {LISTED: {"data": [{"id": "other", "max_model_len": 1}, {"id": "fake-model", "max_model_len": 8192}]}},
            None,
            8192,
        ),
        ({LISTED: {"data": [{"id": "fake-model", "context_window": 131072}]}}, 16000, 16000),
        ({"/props": {"default_generation_settings": {"n_ctx": 2048}}}, 4096, 2048),
        ({"/api/show": {**OLLAMA, "parameters": 'stop "x"\nnum_ctx                        16384'}}, None, 16384),
        ({"/api/show": OLLAMA}, None, 4096),
        ({"/api/show": OLLAMA}, 65536, 32768),
        (
            {
                "/api/v0/models": {
                    "data": [{"id": "fake-model", "max_context_length": 9000, "loaded_context_length": 5000}]
                }
            },
            None,
            5000,
        ),
        ({"/api/v0/models": {"data": [{"id": "fake-model", "max_context_length": 9000}]}}, None, 9000),
        ({}, 4096, 4096),
        ({}, None, None),
        (
            {LISTED: [1], "/props": "text", "/api/show": {"model_info": 3}, "/api/v0/models": {"data": {"a": 1}}},
            None,
            None,
        ),
    ],
)
def test_the_window_is_what_the_server_tells(
    server: OddServer, pages: dict[str, Any], configured: int | None, window: int | None
) -> None:
    server.pages |= pages
    llm = Endpoint(server.url, "fake-model", KEY, configured)
    assert llm.window() == window
    asked = len(server.asked)
    assert llm.window() == window
    assert len(server.asked) == asked, "asked again"


def test_a_server_that_does_not_tell_in_time_is_asked_no_more_then(server: OddServer) -> None:
    server.pages["/v1/models"] = lambda handler: handler.server_ending.wait(30)
    llm = Endpoint(server.url, "fake-model", KEY, 4096, patience=Patience(ask=0.3))
    began = time.monotonic()
    assert llm.window() == 4096
    assert time.monotonic() - began < 10
    assert server.asked == ["/v1/models"]


def test_nobody_to_ask_is_no_error() -> None:
    llm = Endpoint(f"http://127.0.0.1:{free_port()}/v1", "fake-model", KEY)
    assert llm.window() is None
    assert llm.count(["Hello world"]) == [2]


TEXTS = ["Hello wörld", "", "one two three four"]


@pytest.mark.parametrize("page", [None, "text", {"tokens": "no"}, {"error": "no"}])
def test_tokens_are_o200k_s_where_no_tokenizer_is_told(server: OddServer, page: Any) -> None:
    if page is not None:
        server.pages["/tokenize"] = page
    llm = Endpoint(server.url, "fake-model", KEY)
    assert llm.count(TEXTS) == llm.count(TEXTS) == count_o200k(TEXTS)
    assert server.asked == ["/tokenize"]


def test_a_total_is_shared_out(server: OddServer) -> None:
    own = count_o200k(TEXTS)
    server.pages["/tokenize"] = {"count": 2 * sum(own), "tokens": [1] * 2 * sum(own), "max_model_len": 4096}
    llm = Endpoint(server.url, "fake-model", KEY)
    assert llm.count(TEXTS) == [2 * tokens for tokens in own]
    assert llm.count([]) == []


def test_pieces_are_dealt_out_to_the_texts(server: OddServer) -> None:
    pieces: list[Any] = ["Hello", " w", [0xC3], [0xB6], "rld", "\n", "\n", "one two three", " four"]
    server.pages["/tokenize"] = {"tokens": [{"id": 1, "piece": piece} for piece in pieces]}
    llm = Endpoint(server.url, "fake-model", KEY)
    assert llm.count(TEXTS) == [6, 1, 2]
    server.pages["/tokenize"] = odd.hang_up
    assert llm.count(TEXTS) == count_o200k(TEXTS)


# The check of `dateline doctor`


def test_the_check_names_what_is_there(server: OddServer, llm: Endpoint) -> None:
    server.script = [error(400, "'messages' is required")]
    server.pages["/props"] = {"default_generation_settings": {"n_ctx": 2048}}
    assert llm.check() == f"fake-model at {server.url}, 2,048 tokens of context"
    assert "messages" not in server.requests[0]


@pytest.mark.parametrize(
    ("answer", "listed", "words"),
    [
        (error(401, "Bad key"), None, ["key", "Bad key", "DATELINE_LLM_API_KEY"]),
        (error(400, "'messages' is required"), ["a", "b"], ["not known", "a, b", "DATELINE_MODEL"]),
        (error(404, "model 'fake-model' not found"), ["a"], ["not known", "lists a.", "DATELINE_MODEL"]),
        (status(404, "<html>"), None, ["no answer of an OpenAI", "DATELINE_LLM_ENDPOINT"]),
        (status(200, "<html>"), None, ["no answer of an OpenAI", "DATELINE_LLM_ENDPOINT"]),
        (error(500, "on fire"), None, ["server's side", "on fire"]),
        (odd.hang_up, None, ["disconnected"]),
    ],
)  # fmt: skip
def test_the_check_tells_what_is_wrong(
    server: OddServer, llm: Endpoint, answer: odd.Answer, listed: list[str] | None, words: list[str]
) -> None:
    server.script = [answer]
    del server.pages["/v1/models"]
    if listed:
        server.pages["/v1/models"] = {"data": [{"id": name} for name in listed]}
    message = failing(llm, llm.check)
    for word in [server.url, *words]:
        assert word in message


@pytest.mark.parametrize(
    ("listed", "model"),
    [([{"id": "qwen:latest"}], "qwen"), ([{"id": "alias", "owned_by": "llamacpp"}], "any"), ([], "any")],
)
def test_a_model_may_be_known_by_another_name(server: OddServer, listed: list[Any], model: str) -> None:
    server.script = [error(400, "'messages' is required")]
    server.pages["/v1/models"] = {"data": listed}
    assert Endpoint(server.url, model, KEY).check().startswith(f"{model} at ")


def test_the_check_says_when_no_key_is_set(server: OddServer) -> None:
    server.script = [error(401, "Who are you?")]
    assert "No key is set" in failing(Endpoint(server.url, "m"), Endpoint(server.url, "m").check)


# A real server: llama.cpp with the bundled model, without any of our supervision


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    assert is_ready(SETTINGS), f"there is no model file in {SETTINGS.cache}; run `make model`"
    command = [sys.executable, "-P", "-c", LLAMA, str(prepare(SETTINGS)), LLAMA_KEY]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdin and child.stdout
        yield f"{child.stdout.readline().strip()}/v1"
        child.stdin.close()
        child.wait(30)


@pytest.fixture
def real(llama: str) -> Endpoint:
    return Endpoint(llama, "bundled", LLAMA_KEY, trust_env=False)


def test_llama_cpp_writes_the_same_twice_and_tells_why_it_stopped(real: Endpoint) -> None:
    first, usage = collect(real.write(MESSAGES, 3))
    assert first == collect(real.write(MESSAGES, 3))[0]
    assert (usage.completion_tokens, usage.finish) == (3, "length")
    assert usage.prompt_tokens > 10


def test_llama_cpp_gets_its_own_fields_and_ends_by_itself(real: Endpoint) -> None:
    grammar = {"grammar": 'root ::= "yes"', "id_slot": 0, "cache_prompt": True}
    pieces, usage = collect(real.write(MESSAGES, 20, grammar))
    assert "".join(pieces) == "yes" and usage.finish == "stop"


def test_llama_cpp_tells_the_likeliest_tokens_of_each_place(real: Endpoint) -> None:
    pieces, usage = collect(real.write(MESSAGES, 3, likely=True))
    assert len(usage.likely) == usage.completion_tokens == 3
    for place in usage.likely:
        assert 0.1 < sum(place.values()) <= 1.001
    assert max(usage.likely[0], key=usage.likely[0].__getitem__) == pieces[0].strip()


def test_closing_frees_llama_cpp_s_slot(real: Endpoint, llama: str) -> None:
    writing = real.write([Message("user", "Count from one to five hundred.")], 400)
    next(writing)
    writing.close()
    headers = {"Authorization": f"Bearer {LLAMA_KEY}"}
    deadline = time.monotonic() + 20
    with contextlib.closing(httpx.Client(headers=headers, trust_env=False)) as client:
        while client.get(f"{llama.removesuffix('/v1')}/slots").json()[0]["is_processing"]:
            assert time.monotonic() < deadline, "llama.cpp goes on writing to nobody"
            time.sleep(0.05)


def test_llama_cpp_tells_its_window_and_its_tokens(real: Endpoint) -> None:
    assert real.window() == 512
    assert real.count(["Hello wörld", "", "Hello wörld"]) == [5, 0, 4]  # two line ends are one token
    assert real.check() == f"bundled at {real.url}, 512 tokens of context"


def test_llama_cpp_refuses_what_is_too_long_and_whoever_has_no_key(real: Endpoint, llama: str) -> None:
    message = failing(real, lambda: collect(real.write([Message("user", "one two three " * 400)], 5)))
    assert "too small a context" in message and "512 tokens" in message and "DATELINE_LLM_CONTEXT" in message
    stranger = Endpoint(llama, "bundled", KEY, trust_env=False)
    assert "because of the key" in failing(stranger)
    assert "because of the key" in failing(stranger, stranger.check)
