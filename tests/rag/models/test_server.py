"""Only what needs no model; tests/live start the real one."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from index.errors import ModelError
from index.settings import Settings
from prompts import Message
from rag.models.llm import LLM
from rag.models.server import START_SECONDS, LocalServer


@pytest.fixture
def garbage(tmp_path: Path) -> Path:
    path = tmp_path / "garbage.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 4_000)
    return path


@pytest.fixture
def server(garbage: Path, tmp_path: Path) -> Iterator[LocalServer]:
    server = LocalServer(garbage, "garbage", 512, tmp_path / "slots")
    yield server
    server.close()


def test_a_model_that_cannot_be_loaded_is_an_error_with_a_remedy(server: LocalServer) -> None:
    with pytest.raises(ModelError, match=r"garbage\.gguf can't be loaded.*dateline doctor"):
        _ = server.address
    assert server.pid is None


def test_every_use_says_so_again_and_none_leaves_a_child(server: LocalServer) -> None:
    pids = []
    for _ in range(2):
        server.start()
        pids.append(server.pid)
        with pytest.raises(ModelError):
            _ = server.address
    for pid in filter(None, pids):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_closing_ends_the_child_and_closing_twice_is_harmless(server: LocalServer) -> None:
    server.start()
    pid = server.pid
    server.close()
    server.close()
    assert server.pid is None
    if pid is not None:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_starting_does_not_wait(server: LocalServer) -> None:
    started = time.monotonic()
    server.start()
    assert time.monotonic() - started < 1


def test_a_file_of_the_users_never_stands_in_for_a_module_of_ours(
    server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    (here / "rag" / "models").mkdir(parents=True)
    trap = f"open({str(tmp_path / 'trapped')!r}, 'w').close()\n"
    for name in ("xllamacpp.py", "rag/__init__.py", "rag/models/child.py"):
        (here / name).write_text(trap)
    monkeypatch.chdir(here)
    with pytest.raises(ModelError):
        _ = server.address
    assert not (tmp_path / "trapped").exists()


USES: dict[str, Callable[[LLM], object]] = {
    "start": lambda llm: llm.start(),
    "write": lambda llm: list(llm.write([Message("user", "Hello")], 5)),
    "count": lambda llm: llm.count(["Hello"]),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_a_missing_model_file_is_an_error_with_a_remedy(
    settings: Settings, tmp_path: Path, use: Callable[[LLM], object]
) -> None:
    llm = LLM(dataclasses.replace(settings, model=str(tmp_path / "nowhere.gguf")))
    with pytest.raises(ModelError, match=r"nowhere\.gguf.*DATELINE_MODEL"):
        use(llm)
    llm.close()


def test_a_model_that_cannot_be_loaded_fails_the_answer(settings: Settings, garbage: Path) -> None:
    llm = LLM(dataclasses.replace(settings, model=str(garbage)))
    llm.start([Message("system", "Be brief.")])
    with pytest.raises(ModelError, match="can't be loaded"):
        list(llm.write([Message("user", "Hello")], 5))
    llm.close()


def test_a_cache_that_cannot_be_made_is_an_error_with_a_remedy(garbage: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    server = LocalServer(garbage, "garbage", 512, tmp_path / "file" / "prefixes")
    with pytest.raises(ModelError, match=r"prefixes can't be made.*DATELINE_CACHE"):
        server.start()


def test_a_model_file_that_is_gone_is_an_error_with_a_remedy(server: LocalServer, garbage: Path) -> None:
    garbage.unlink()
    with pytest.raises(ModelError, match=r"garbage\.gguf can't be read.*dateline model"):
        server.warm([{"role": "system", "content": "Be brief."}])


def test_closing_does_not_wait_for_a_model_that_loads(tmp_path: Path) -> None:
    model = tmp_path / "slow.gguf"
    os.mkfifo(model)  # whoever opens it waits for somebody to write
    server = LocalServer(model, "slow", 512, tmp_path / "slots")
    failed: list[ModelError] = []

    def use() -> None:
        try:
            server.address  # noqa: B018 (waits)
        except ModelError as error:
            failed.append(error)

    using = threading.Thread(target=use)
    using.start()
    while server.pid is None:
        time.sleep(0.01)
    time.sleep(0.5)
    closing = threading.Thread(target=server.close)
    closing.start()
    closing.join(timeout=START_SECONDS / 4)
    assert not closing.is_alive()
    using.join(timeout=START_SECONDS / 4)
    assert failed
    assert server.pid is None


def test_two_who_ask_first_at_once_share_one_server(
    settings: Settings, garbage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(_: Settings) -> Path:
        time.sleep(0.2)
        return garbage

    monkeypatch.setattr("rag.models.llm.prepare", prepare)
    llm = LLM(dataclasses.replace(settings, model=str(garbage)))
    servers: list[LocalServer] = []
    asking = [threading.Thread(target=lambda: servers.append(llm.local_server)) for _ in range(2)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert len(servers) == 2
    assert servers[0] is servers[1]
