"""The comparison of two servers, with answers made up here; the real one is part of the build (test_native.py)."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from index.errors import ModelError
from ui import trial
from ui.trial import Pair, Reply, Trial, compare

Handler = Callable[[httpx.Request], httpx.Response]


def test_every_question_s_answer_stands_in_its_passage() -> None:
    questions = [(passage, gold) for passage, asked in trial._PASSAGES for _, gold in asked]
    assert len(questions) == 12
    for passage, gold in questions:
        assert gold in passage


def test_the_figures_are_counts_and_medians() -> None:
    wheel = Reply("a", True, 100.0, 20.0)
    found = Trial(
        (
            Pair(Reply("a", True, 150.0, 10.0), wheel),
            Pair(Reply("b", True, 180.0, 20.0), wheel),
            Pair(Reply("c", False, 500.0, 30.0), wheel),
        )
    )
    assert (found.asked, found.equal, found.right, found.lost) == (3, 1, 2, 1)
    assert found.ratio == 1.8
    assert found.speed(lambda pair: pair.built.write) == 20.0


def answering(asked: list[tuple[str, dict[str, Any]]], name: str, read: float) -> Handler:
    def handle(request: httpx.Request) -> httpx.Response:
        asked.append((name, json.loads(request.content)))
        content = "It took nine days."
        timings = {"prompt_per_second": read, "predicted_per_second": 20.0}
        return httpx.Response(200, json={"choices": [{"message": {"content": content}}], "timings": timings})

    return handle


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Handler, Handler], None]:
    def servers(built: Handler, wheel: Handler) -> None:
        for name, handler in (("_built", built), ("_wheel", wheel)):

            @contextlib.contextmanager
            def client(*_: Any, handler: Handler = handler) -> Iterator[httpx.Client]:
                with httpx.Client(base_url="http://made-up", transport=httpx.MockTransport(handler)) as made:
                    yield made

            monkeypatch.setattr(trial, name, client)

    return servers


def test_both_get_the_same_questions_in_turn(servers: Callable[[Handler, Handler], None]) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []
    told: list[tuple[int, int]] = []
    servers(answering(asked, "built", 180.0), answering(asked, "wheel", 100.0))
    found = compare(Path("llama-server"), Path("m.gguf"), lambda *step: told.append(step))
    assert told == [(n, 24) for n in range(1, 25)]
    assert (found.asked, found.equal, found.right, found.lost, found.ratio) == (12, 12, 1, 0, 1.8)
    turns = asked[2:]  # each is asked once before, so that nobody pays for what the first question sets up
    firsts = [name for name, _ in turns[::2]]
    assert firsts == ["wheel", "built"] * 6
    for (one, question), (other, same) in zip(turns[::2], turns[1::2], strict=True):
        assert {one, other} == {"built", "wheel"}
        assert question == same
        assert (question["temperature"], question["seed"], question["cache_prompt"]) == (0, 0, False)


@pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(200, json={}), httpx.Response(200, text="no")])
def test_a_server_that_does_not_answer_is_an_error(
    servers: Callable[[Handler, Handler], None], answer: httpx.Response
) -> None:
    servers(lambda _: answer, lambda _: answer)
    with pytest.raises(ModelError, match="did not answer in the comparison"):
        compare(Path("llama-server"), Path("m.gguf"))


@pytest.mark.loopback
def test_a_model_that_the_wheel_cannot_load_is_named(tmp_path: Path) -> None:
    model = tmp_path / "garbage.gguf"
    model.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 4_000)
    binary = tmp_path / "llama-server"
    binary.write_text(
        f"#!{sys.executable}\nimport http.server\n"
        "class Handler(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self): self.send_response(200); self.end_headers()\n"
        "    def log_message(self, *_): pass\n"
        "http.server.HTTPServer(('127.0.0.1', 0), Handler).serve_forever()\n"
    )
    binary.chmod(0o755)
    with pytest.raises(ModelError, match=r"The wheel's llama.cpp can't load .*garbage\.gguf"):
        compare(binary, model)
