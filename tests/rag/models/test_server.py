"""Only what needs no model; tests/test_end_to_end.py starts the real one."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from index.errors import ModelError
from index.settings import Settings
from prompts import Message
from rag.models.llm import LLM
from rag.models.server import MOST_WAITING, SLOTS, LocalServer
from rag.models.serving import START_SECONDS


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


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A model that never finishes loading: whoever opens it waits for somebody to write."""
    path = tmp_path / "slow.gguf"
    os.mkfifo(path)
    return path


@pytest.fixture
def loading(slow: Path, tmp_path: Path) -> Iterator[LocalServer]:
    server = LocalServer(slow, "slow", 512, tmp_path / "cache")
    yield server
    server.close()


def test_a_model_that_cannot_be_loaded_is_an_error_with_a_remedy(server: LocalServer) -> None:
    with pytest.raises(ModelError, match=r"garbage\.gguf can't be loaded.*dateline doctor"):
        _ = server.address
    assert server.pid is None


def test_every_use_says_so_again_and_none_leaves_a_child(server: LocalServer) -> None:
    for _ in range(2):
        server.start()
        with pytest.raises(ModelError):
            _ = server.address
        until(lambda: not server.is_running)


def test_closing_ends_the_child_and_closing_twice_is_harmless(loading: LocalServer) -> None:
    loading.start()
    assert loading.is_running
    loading.close()
    loading.close()
    assert not loading.is_running


def test_all_who_use_a_model_share_one_child_until_the_last_has_left(slow: Path, tmp_path: Path) -> None:
    first, second = (LocalServer(slow, "slow", 512, tmp_path / "cache") for _ in range(2))
    first.start()
    second.start()
    assert len(list((tmp_path / "cache" / "llm").iterdir())) == 1
    first.close()
    assert second.is_running
    second.close()
    assert not second.is_running


def test_a_user_that_is_killed_leaves_no_child(slow: Path, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from rag.models.server import LocalServer\n"
        "server = LocalServer(pathlib.Path(sys.argv[1]), 'slow', 512, pathlib.Path(sys.argv[2])); server.start()\n"
        "print(server.is_running, flush=True); sys.stdin.read()"
    )
    cache = tmp_path / "cache"
    user = subprocess.Popen(
        [sys.executable, "-c", code, str(slow), str(cache)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert user.stdout
    assert user.stdin
    assert user.stdout.readline() == "True\n"
    watching = LocalServer(slow, "slow", 512, cache)
    assert watching.is_running
    user.kill()
    user.wait()
    user.stdin.close()
    user.stdout.close()
    until(lambda: not watching.is_running)


def test_the_key_is_the_users_alone(loading: LocalServer, tmp_path: Path) -> None:
    loading.start()
    (folder,) = (tmp_path / "cache" / "llm").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "key").stat().st_mode & 0o077 == 0
    assert len(loading.api_key) > 30


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
    llm.start()
    with pytest.raises(ModelError, match="can't be loaded"):
        list(llm.write([Message("user", "Hello")], 5))
    llm.close()


def test_a_cache_that_cannot_be_made_is_an_error_with_a_remedy(garbage: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    server = LocalServer(garbage, "garbage", 512, tmp_path / "file" / "cache")
    with pytest.raises(ModelError, match=r"can't be used.*DATELINE_CACHE"):
        server.start()


def test_a_model_file_that_is_gone_is_an_error_with_a_remedy(server: LocalServer, garbage: Path) -> None:
    garbage.unlink()
    with pytest.raises(ModelError, match=r"garbage\.gguf is not there.*dateline model"):
        server.start()


def test_closing_does_not_wait_for_a_model_that_loads(loading: LocalServer) -> None:
    failed: list[ModelError] = []

    def use() -> None:
        try:
            loading.address  # noqa: B018 (waits)
        except ModelError as error:
            failed.append(error)

    using = threading.Thread(target=use)
    using.start()
    until(lambda: loading.is_running)
    loading.close()
    using.join(timeout=START_SECONDS / 4)
    assert failed
    until(lambda: not loading.is_running)


# The queue


@pytest.fixture
def queue(loading: LocalServer) -> LocalServer:
    loading.start()
    return loading


def test_turns_come_in_order_and_everybody_knows_who_is_ahead(queue: LocalServer) -> None:
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(queue.turn())
        assert held.wait(1)
        first, second = (stack.enter_context(queue.turn()) for _ in range(2))
        assert not second.wait(0.05)
        assert not first.wait(0.05)
        assert (first.ahead, second.ahead) == (0, 1)
        held.__exit__()
        assert not second.wait(0.05), "it came before its turn"
        assert first.wait(1)
        assert second.ahead == 0


def test_who_gives_up_waiting_is_not_waited_for(queue: LocalServer) -> None:
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(queue.turn())
        assert held.wait(1)
        with queue.turn():
            second = stack.enter_context(queue.turn())
            assert second.ahead == 1
        held.__exit__()
        assert second.wait(1)


def test_one_call_runs_at_a_time_among_all_processes(queue: LocalServer, slow: Path, tmp_path: Path) -> None:
    other = LocalServer(slow, "slow", 512, tmp_path / "cache")
    with other.turn() as theirs:
        with queue.turn() as mine:
            assert mine.wait(1)
            assert not theirs.wait(0.05)
        assert theirs.wait(1)


def test_who_comes_after_too_many_is_told(queue: LocalServer) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_WAITING):
            stack.enter_context(queue.turn())
        with pytest.raises(ModelError, match="Ask again"):
            stack.enter_context(queue.turn())


@pytest.mark.parametrize("asked", [("long", ""), ("longer", "long")], ids=["the prompt", "its beginning"])
def test_a_slot_that_has_read_the_prompt_is_preferred_until_it_reads_another(
    queue: LocalServer, asked: tuple[str, str]
) -> None:
    with queue.turn("long", aside=True) as first:  # in the last slot
        assert first.wait(1)
        queue.has_read(first)
        slot = first.slot
    assert slot == SLOTS - 1
    with queue.turn(*asked) as again:
        assert again.wait(1)
        assert again.slot == slot
        assert queue.take(again) == "long"
        assert queue.take(again) == "", "what is asked in between may have replaced it"


def test_what_is_asked_aside_goes_where_it_replaces_nothing_that_may_be_asked_again(queue: LocalServer) -> None:
    with queue.turn("long") as first:
        assert first.wait(1)
        queue.has_read(first)
        kept = first.slot
    for prompt in ("one sentence", "another"):
        with queue.turn(prompt, aside=True) as aside:
            assert aside.wait(1)
            assert aside.slot != kept
            queue.has_read(aside)
    with queue.turn("long") as again:
        assert again.wait(1)
        assert queue.take(again) == "long", "it was replaced"


def test_of_two_who_ask_in_turns_none_reads_over_what_the_other_has_read(queue: LocalServer) -> None:
    for prompt in ("one", "another"):
        with queue.turn(prompt) as turn:
            assert turn.wait(1)
            queue.has_read(turn)
    for prompt in ("one", "another"):
        with queue.turn(prompt) as turn:
            assert turn.wait(1)
            assert queue.take(turn) == prompt
            queue.has_read(turn)


def test_what_is_asked_aside_still_prefers_the_slot_that_has_read_it(queue: LocalServer) -> None:
    with queue.turn("sentence") as first:
        assert first.wait(1)
        queue.has_read(first)
    with queue.turn("sentence", aside=True) as again:
        assert again.wait(1)
        assert again.slot == first.slot
        assert queue.take(again) == "sentence"


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


def until(holds: Callable[[], bool], within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)
