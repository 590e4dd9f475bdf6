"""Questions from a file, answers to a file: resumable, one row at a time."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.console import Progress
from index.errors import DatelineError, QuestionError, ReadError, StoreError
from index.filters import Filters
from rag.types import Turn

if TYPE_CHECKING:
    from rag.assistant import Assistant


@dataclass(frozen=True, slots=True)
class Row:
    """One question of a batch."""

    id: str
    question: str
    history: tuple[Turn, ...] = ()
    asked: str = ""


def ask_all(assistant: Assistant, questions: Path, out: Path, filters: Filters | None = None, asked: str = "") -> int:
    """Answer every row of `questions` that `out` does not hold yet; returns how many could not be answered.

    A row that can't be asked becomes `{"id", "question", "error"}` and is tried again by the next run.

    Args:
        asked: the ISO date of the rows that name none.

    Raises:
        ReadError: a file that can't be read, or a row that is not a question.
        ModelError, StoreError: the model or the corpus can't be used; what was answered is kept.
    """
    rows = read_rows(questions, asked)
    done = _keep_finished(out, {row.id: row for row in rows})
    failed = 0
    todo = [row for row in rows if row.id not in done]
    with out.open("a", encoding="utf-8") as file, Progress() as progress:
        progress.show("answering", len(done), len(rows))
        for n, row in enumerate(todo, start=len(done) + 1):
            try:
                answer = assistant.ask(row.question, history=row.history, asked=row.asked, filters=filters)
                line: dict[str, Any] = {"id": row.id, **answer.to_json()}
            except QuestionError as error:
                failed += 1
                line = {"id": row.id, "question": row.question, "error": str(error)}
                progress.tell(f"{row.id} could not be asked: {error}")
            file.write(_one_line(line) + "\n")
            file.flush()
            progress.show("answering", n, len(rows))
        if failed:
            progress.tell(f"{failed} of {len(rows)} could not be asked; the next run tries them again.")
    return failed


def read_rows(path: Path, asked: str = "") -> list[Row]:
    """The questions of a JSONL in the benchmarks' format (`id, question, history, asked`).

    Args:
        asked: the ISO date of the rows that name none.

    Raises:
        ReadError: names the file, the line and what is wrong with it.
    """
    rows: list[Row] = []
    seen: set[str] = set()
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = _row(json.loads(line), asked)
        except (ValueError, RecursionError, DatelineError) as error:
            raise ReadError(f"{path}:{number} is not a question: {error}. Nothing was asked.") from error
        if row.id in seen:
            raise ReadError(f"{path}:{number} repeats the id {row.id!r}; ids must differ.")
        seen.add(row.id)
        rows.append(row)
    if not rows:
        raise ReadError(f"{path} holds no questions; give one JSON object a line.")
    return rows


def read_history(path: Path) -> list[Turn]:
    """A conversation from a JSON file.

    Raises:
        ReadError: the file is not a list of {role, content}.
    """
    try:
        return list(_turns(json.loads("\n".join(_lines(path)))))
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{path} is not a conversation: {error}.") from error


def checked_date(value: str) -> str:
    """An ISO date, or "" for none.

    Raises:
        QuestionError: anything else.
    """
    try:
        return datetime.date.fromisoformat(value).isoformat() if value else ""
    except (TypeError, ValueError) as error:
        raise QuestionError(f"{value!r} is not a date; write it as 2025-07-27.") from error


def _row(value: Any, asked: str) -> Row:
    if not isinstance(value, dict) or not isinstance(value.get("question"), str) or value.get("id") in (None, ""):
        raise ValueError("it needs an `id` and a `question`")
    return Row(
        str(value["id"]),
        value["question"],
        tuple(_turns(value.get("history") or [])),
        checked_date(value.get("asked") or asked),
    )


def _turns(value: Any) -> Sequence[Turn]:
    if not isinstance(value, list) or not all(
        isinstance(turn, dict) and turn.get("role") in ("user", "assistant") and isinstance(turn.get("content"), str)
        for turn in value
    ):
        raise ValueError('a history is a list of {"role": "user" or "assistant", "content": "…"}')
    return [Turn(turn["role"], turn["content"]) for turn in value]


def _one_line(value: dict[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, in a question that was refused for it
        return json.dumps(value)
    return text


def _lines(path: Path, errors: str = "strict") -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig", errors=errors).split("\n")
    except OSError as error:
        raise ReadError(f"{path} can't be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise ReadError(f"{path} is not UTF-8 (byte {error.start}).") from error


def _keep_finished(out: Path, rows: dict[str, Row]) -> set[str]:
    """The ids that `out` answers already; a torn last line and failed rows are dropped from it."""
    if not out.parent.is_dir():
        raise StoreError(f"There is no folder {out.parent} to write {out.name} to.")
    if not out.exists():
        return set()
    kept: dict[str, str] = {}
    for number, line in enumerate(_lines(out, errors="replace"), start=1):
        try:
            value = json.loads(line) if line.strip() else {"error": "an empty line"}
        except (ValueError, RecursionError):
            value = {"error": "torn by a kill, perhaps in the middle of a character"}
        if not isinstance(value, dict):
            value = {}
        if "error" in value:
            continue
        row = rows.get(value["id"]) if isinstance(value.get("id"), str) else None
        if "answer" not in value or row is None or value.get("question") != " ".join(row.question.split()):
            raise ReadError(f"{out}:{number} answers another question than the batch asks; write to another file.")
        if (asked := value.get("asked", "")) != row.asked:
            raise ReadError(
                f"{out}:{number} was asked on {asked or 'no day'}, and the batch asks on {row.asked or 'no day'}; "
                "write to another file, or give --asked that day."
            )
        kept[value["id"]] = line
    temporary = out.with_name(f"{out.name}.new")
    temporary.write_text("".join(f"{line}\n" for line in kept.values()), encoding="utf-8")
    os.replace(temporary, out)
    return set(kept)
