from __future__ import annotations

import pytest

from index import console
from index.console import Progress, safe


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_LINE_SECONDS", 0)


def test_a_log_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.show("answering", 1, 4)
        progress.show("answering", 2, 4)
        progress.show("articles", 2**20, 2**21)
        progress.show("reading articles", 3, 0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "answering: 1 of 4 (25%)"
    assert lines[1].startswith("answering: 2 of 4 (50%, 00:00 left")
    assert lines[2].startswith("articles: 1.00MB of 2.00MB (50%")
    assert lines[3] == "reading articles: 3"


def test_short_work_says_nothing_in_a_log(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_LINE_SECONDS", 3600)
    with Progress() as progress:
        progress.show("answering", 1, 2)
        progress.show("answering", 2, 2)
    assert capsys.readouterr().err == ""


def test_a_step_that_begins_anew_is_counted_anew() -> None:
    with Progress() as progress:
        assert progress.done("asking") == (0, 0)
        progress.show("asking", 5, 5)
        progress.show("asking", 1, 9)
        assert progress.done("asking") == (1, 9)


def test_results_go_to_standard_output_and_messages_beside_them(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.say("added   ", "a\x1b[2Jb")
        progress.tell("one row failed")
    told = capsys.readouterr()
    assert told.out == "added   a [2Jb\n"
    assert told.err == "one row failed\n"


def test_control_characters_are_not_obeyed() -> None:
    assert safe("a\x1b]0;b\x07\nc\u202e") == "a ]0;b  c "
