from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from index.errors import DatelineError, ModelError, QuestionError, ReadError, StoreError
from index.filters import Filters
from rag.models.llm import Usage
from rag.types import Answer, Models, Timings, Turn
from ui.batch import Row, ask_all, checked_date, read_rows

QUESTIONS = [
    {"id": "1", "question": "Wer — «first»?"},
    {"id": "2", "question": " Second\n one? "},
    {"id": "3", "question": "Third?"},
]


class Assistant:
    """Answers a question by its own words, so that a file can be checked; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.errors: dict[str, BaseException] = {}
        self.turns: list[tuple[Turn, ...]] = []
        self.days: list[str] = []

    def ask(
        self, question: str, *, history: Sequence[Turn] = (), asked: str = "", filters: Filters | None = None
    ) -> Answer:
        question = " ".join(question.split())
        self.asked.append(question)
        self.turns.append(tuple(history))
        self.days.append(asked)
        if question in self.errors:
            raise self.errors[question]
        return Answer(
            question,
            question,
            f"Echo — {question} \U0001f600",
            (),
            False,
            0.5,
            (),
            Timings(1, 2, 3, 4),
            Usage(1, 0, 1),
            Models("paper", "e"),
            "p",
            0,
            asked,
        )


@pytest.fixture
def assistant() -> Any:
    return Assistant()


@pytest.fixture
def questions(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: Any) -> Path:
        path = tmp_path / "questions.jsonl"
        path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows or QUESTIONS))
        return path

    return write


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def test_every_question_gets_a_row_with_its_id(assistant: Any, questions: Any, out: Path) -> None:
    assert ask_all(assistant, questions(), out) == 0
    assert [(row["id"], row["answer"]) for row in rows(out)] == [
        ("1", "Echo — Wer — «first»? \U0001f600"),
        ("2", "Echo — Second one? \U0001f600"),
        ("3", "Echo — Third? \U0001f600"),
    ]


def test_a_finished_file_is_left_as_it_is_and_nothing_is_asked(assistant: Any, questions: Any, out: Path) -> None:
    ask_all(assistant, questions(), out)
    before, assistant.asked = out.read_bytes(), []
    assert ask_all(assistant, questions(), out) == 0
    assert assistant.asked == []
    assert out.read_bytes() == before


def test_an_output_of_another_day_is_not_continued(assistant: Any, questions: Any, out: Path) -> None:
    ask_all(assistant, questions(), out, asked="2025-07-27")
    assert {row["asked"] for row in rows(out)} == {"2025-07-27"}
    before, assistant.asked = out.read_bytes(), []
    with pytest.raises(ReadError, match=r"answers\.jsonl:1 was asked on 2025-07-27, and the batch asks on no day"):
        ask_all(assistant, questions(), out)
    assert (out.read_bytes(), assistant.asked) == (before, [])


def test_an_output_whose_id_is_no_text_is_named(assistant: Any, questions: Any, out: Path) -> None:
    out.write_text('{"id": ["1"], "question": "Third?", "answer": ""}\n', encoding="utf-8")
    with pytest.raises(ReadError, match=r"answers\.jsonl:1 answers another question"):
        ask_all(assistant, questions(), out)


def test_a_file_torn_at_any_byte_is_continued(assistant: Any, questions: Any, out: Path) -> None:
    ask_all(assistant, questions(), out)
    whole = out.read_bytes()
    first_end = whole.index(b"\n") + 1
    second_end = whole.index(b"\n", first_end) + 1
    cuts = {0, 1, first_end - 1, first_end, first_end + 1, second_end - 1, second_end, len(whole) - 1}
    dash = whole.index("—".encode(), first_end)
    emoji = whole.index("\U0001f600".encode(), first_end)
    for cut in sorted(cuts | {dash + 1, dash + 2, emoji + 1, emoji + 3}):
        out.write_bytes(whole[:cut])
        assistant.asked = []
        assert ask_all(assistant, questions(), out) == 0, cut
        assert out.read_bytes() == whole, cut
        assert len(assistant.asked) <= 3


def test_a_question_that_cannot_be_asked_becomes_an_error_row_and_is_tried_again(
    assistant: Any, questions: Any, out: Path
) -> None:
    assistant.errors["Second one?"] = QuestionError("too odd")
    assert ask_all(assistant, questions(), out) == 1
    assert [("error" in row) for row in rows(out)] == [False, True, False]
    assert rows(out)[1]["error"] == "too odd"
    assistant.errors, assistant.asked = {}, []
    assert ask_all(assistant, questions(), out) == 0
    assert assistant.asked == ["Second one?"]
    assert {row["id"] for row in rows(out)} == {"1", "2", "3"}
    assert not any("error" in row for row in rows(out))


@pytest.mark.parametrize("error", [ModelError("gone"), KeyboardInterrupt()])
def test_what_was_answered_before_a_failure_or_ctrl_c_is_kept(
    assistant: Any, questions: Any, out: Path, error: BaseException
) -> None:
    assistant.errors["Third?"] = error
    with pytest.raises(type(error)):
        ask_all(assistant, questions(), out)
    assert [row["id"] for row in rows(out)] == ["1", "2"]
    assistant.errors, assistant.asked = {}, []
    ask_all(assistant, questions(), out)
    assert assistant.asked == ["Third?"]


def test_answers_of_other_questions_are_not_overwritten(assistant: Any, questions: Any, out: Path) -> None:
    ask_all(assistant, questions(), out)
    before = out.read_bytes()
    for changed in ([{"id": "1", "question": "Another?"}], [{"id": "9", "question": "Third?"}]):
        with pytest.raises(ReadError, match=r"answers\.jsonl:1"):
            ask_all(assistant, questions(*changed), out)
        assert out.read_bytes() == before


@pytest.mark.parametrize("line", ["[]", '"text"', "7", "null", "{}", '{"id": "1"}'])
def test_a_file_of_something_else_is_left_alone_or_continued_but_never_a_crash(
    assistant: Any, questions: Any, out: Path, line: str
) -> None:
    out.write_text(line + "\n")
    told = ""
    try:
        ask_all(assistant, questions(), out)
    except DatelineError as error:
        told = str(error)
    if told:
        assert "answers.jsonl" in told
        assert out.read_text() == line + "\n"
    else:
        assert [row["id"] for row in rows(out)] == ["1", "2", "3"]


def test_a_folder_that_is_not_there_is_told_before_anything_is_asked(
    assistant: Any, questions: Any, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        ask_all(assistant, questions(), tmp_path / "nowhere" / "out.jsonl")
    assert assistant.asked == []


def test_history_and_date_go_with_the_question(assistant: Any, questions: Any, out: Path) -> None:
    history = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    ask_all(assistant, questions({"id": "1", "question": "And?", "history": history, "asked": "2025-01-02"}), out)
    assert assistant.turns == [(Turn("user", "Q"), Turn("assistant", "A"))]
    assert assistant.days == ["2025-01-02"]


def test_a_day_for_the_batch_is_that_of_the_rows_that_name_none(assistant: Any, questions: Any, out: Path) -> None:
    path = questions({"id": "1", "question": "A?", "asked": "2025-01-02"}, {"id": "2", "question": "B?"})
    ask_all(assistant, path, out, None, "2025-07-27")
    assert assistant.days == ["2025-01-02", "2025-07-27"]


def test_rows_may_hold_more_than_is_needed(questions: Any) -> None:
    assert read_rows(questions({"id": 5, "question": "Q?", "gold": ["x"], "asked": None, "history": None}, "")) == [
        Row("5", "Q?")
    ]


@pytest.mark.parametrize(
    "row",
    [
        "{",
        "[]",
        "7",
        {"id": "2"},
        {"question": "Q?"},
        {"id": "", "question": "Q?"},
        {"id": "2", "question": 5},
        {"id": "2", "question": "Q?", "history": "x"},
        {"id": "2", "question": "Q?", "history": [{"role": "bot", "content": "x"}]},
        {"id": "2", "question": "Q?", "asked": "soon"},
        {"id": "2", "question": "Q?", "asked": 20250102},
        {"id": "1", "question": "Again?"},
        "[" * 100_000,
    ],
    ids=lambda row: str(row)[:40],
)
def test_a_bad_row_is_named_by_its_line_before_anything_is_asked(
    assistant: Any, questions: Any, out: Path, row: Any
) -> None:
    with pytest.raises(ReadError, match=r"questions\.jsonl:2"):
        ask_all(assistant, questions({"id": "1", "question": "Q?"}, row), out)
    assert assistant.asked == []
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xff"])
def test_a_file_without_questions_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "q.jsonl").write_bytes(content)
    with pytest.raises(ReadError, match=r"q\.jsonl"):
        read_rows(tmp_path / "q.jsonl")


def test_half_a_surrogate_pair_in_a_question_stops_nothing(assistant: Any, questions: Any, out: Path) -> None:
    path = questions('{"id": "1", "question": "Odd \\ud800?"}', {"id": "2", "question": "Fine?"})
    told = ""
    try:
        ask_all(assistant, path, out)
    except ReadError as error:
        told = str(error)
    if told:
        assert "questions.jsonl:1" in told
    else:
        assert [row["id"] for row in rows(out)] == ["1", "2"]


@pytest.mark.parametrize(("value", "date"), [("", ""), ("2025-07-27", "2025-07-27")])
def test_a_date_is_taken(value: str, date: str) -> None:
    assert checked_date(value) == date


@pytest.mark.parametrize("value", ["2025-13-01", "27.07.2025", "soon", "2025"])
def test_what_is_no_date_is_refused(value: str) -> None:
    with pytest.raises(QuestionError, match=value):
        checked_date(value)
