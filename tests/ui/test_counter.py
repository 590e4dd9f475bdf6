"""A terminal that is answered by a page: a real socket, and an assistant that answers by keyword."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from index.errors import ModelError, QuestionError
from index.filters import Filters
from index.settings import Settings, load_settings
from rag.assistant import Assistant
from tests.ui.fake_assistant import FakeAssistant
from ui.counter import Counter, Question, answer_there


class AtTheCounter(FakeAssistant):
    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.filters: list[Any] = []
        self.stops: list[threading.Event] = []

    def stream(self, question: str, **told: Any) -> Any:
        self.filters.append(told.pop("filters"))
        self.stops.append(told["stop"])
        if question == "refused":
            raise QuestionError("The question was refused.")
        return super().stream(question, **told)


@pytest.fixture
def page(settings: Settings) -> Iterator[AtTheCounter]:
    settings.home.mkdir()
    assistant = AtTheCounter(settings)
    with Counter(cast(Assistant, assistant)):
        yield assistant


def nothing(_: int) -> None: ...


def ask(settings: Settings, question: str, **more: Any) -> str | None:
    return answer_there(settings, Question(question, "2025-01-01", "json", **more), nothing, nothing)


def test_the_page_s_answer_comes_in_the_form_asked_for(page: AtTheCounter, settings: Settings) -> None:
    filters = Filters(sources=("The Herald",), since="2024")
    history = [{"role": "user", "content": "Before?"}, {"role": "assistant", "content": "Yes."}]
    told = ask(settings, "What did the council decide about the old harbour?", history=history, filters=filters)
    assert told is not None
    assert json.loads(told)["sentences"]
    assert page.filters == [filters]
    assert [turn.content for turn in page.histories[0]] == ["Before?", "Yes."]
    text = answer_there(settings, Question("unknown", "", "text"), nothing, nothing)
    assert "The nearest passages" in (text or "")


def test_an_error_of_the_page_is_the_terminal_s(page: AtTheCounter, settings: Settings) -> None:
    with pytest.raises(QuestionError, match="was refused"):
        ask(settings, "refused")
    with pytest.raises(ModelError, match="tripped"):
        ask(settings, "break it")


def test_a_page_with_other_settings_is_not_asked(page: AtTheCounter, settings: Settings) -> None:
    assert ask(dataclasses.replace(settings, evidence_tokens=7), "unknown") is None
    assert page.opened == 0


def test_without_a_page_nobody_answers(settings: Settings) -> None:
    assert ask(settings, "unknown") is None
    settings.home.mkdir()
    with Counter(cast(Assistant, AtTheCounter(settings))):
        pass
    assert not (settings.home / "ask.sock").exists()
    (settings.home / "ask.sock").touch()  # as a killed page leaves one
    assert ask(settings, "unknown") is None
    with Counter(cast(Assistant, AtTheCounter(settings))):
        assert ask(settings, "unknown")


def test_a_second_page_leaves_the_counter_to_the_first(page: AtTheCounter, settings: Settings) -> None:
    with Counter(cast(Assistant, AtTheCounter(settings))):
        assert ask(settings, "unknown")
    assert ask(settings, "unknown")
    assert page.opened == 2


def test_a_page_that_does_not_answer_is_not_waited_for(settings: Settings) -> None:
    settings.home.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stopped:
        stopped.bind(str(settings.home / "ask.sock"))
        stopped.listen()
        assert ask(settings, "unknown") is None


def test_the_key_is_no_part_of_what_is_told() -> None:
    import ui.counter as counter

    settings = load_settings()
    with_key = dataclasses.replace(settings, api_key="secret")
    assert counter._fingerprint(settings) == counter._fingerprint(with_key)


def test_only_its_user_may_use_the_socket(page: AtTheCounter, settings: Settings) -> None:
    assert (settings.home / "ask.sock").stat().st_mode & 0o777 == 0o600


def test_a_data_directory_with_a_long_name_has_a_counter_too(settings: Settings, tmp_path: Path) -> None:
    home = tmp_path / ("long" * 40)
    home.mkdir()
    settings = dataclasses.replace(settings, home=home)
    with Counter(cast(Assistant, AtTheCounter(settings))):
        assert ask(settings, "unknown")


def test_who_hangs_up_stops_the_answer(page: AtTheCounter, settings: Settings) -> None:
    import ui.counter as counter

    with counter._connect(settings.home) as connection:
        asked = dataclasses.asdict(Question("endless", "", "text"))
        connection.sendall(counter._line({"known": counter._fingerprint(settings), **asked}))
        deadline = time.monotonic() + 10
        while not page.stops and time.monotonic() < deadline:
            time.sleep(0.01)
    assert page.stops[0].wait(10)
