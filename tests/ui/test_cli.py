"""The command as a person or a script sees it: output, exit code, one message for an error and never a traceback."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from index.embedding import Embedder
from index.settings import load_settings
from tests.conftest import FIRST, SECOND, Ran, Run

Write = Callable[..., Path]


# index


def test_add_tells_a_line_for_each_file_and_a_summary(run: Run, write: Write, folder: Path) -> None:
    one, two = write("gwadar.txt", FIRST), write("quetta.txt", SECOND)
    ran = run("index", "add", "--json", folder)
    assert (ran.code, ran.err) == (0, "")
    *files, last = ran.rows
    assert [(row["file"], row["article"], row["outcome"]) for row in files] == [
        (str(one), "gwadar", "added"),
        (str(two), "quetta", "added"),
    ]
    summary = last["summary"]
    assert {
        name: summary[name] for name in ("added", "replaced", "unchanged", "failed", "articles", "sentences", "chunks")
    } == {"added": 2, "replaced": 0, "unchanged": 0, "failed": 0, "articles": 2, "sentences": 4, "chunks": 2}
    again = run("index", "add", "--json", folder)
    assert again.rows[-1]["summary"]["unchanged"] == 2
    assert again.code == 0


def test_add_for_people_names_what_changed(run: Run, write: Write, folder: Path) -> None:
    write("gwadar.txt", FIRST)
    ran = run("index", "add", folder)
    assert "gwadar" in ran.out
    assert "1 added" in ran.out


def test_add_goes_on_after_bad_files_and_exits_1(run: Run, write: Write, folder: Path) -> None:
    write("good.txt", FIRST)
    bad = write("bad.txt", "a\0b")
    ran = run("index", "add", folder, folder / "nowhere.txt")
    assert ran.code == 1
    assert str(bad) in ran.out
    assert "nowhere.txt" in ran.out
    assert "1 added, 2 failed" in ran.out
    assert "Traceback" not in ran.err
    assert run("index", "list", "--json").rows[0]["id"] == "good"


def test_add_of_nothing_readable_is_one_message(run: Run, folder: Path) -> None:
    assert "empty" in run("index", "add", folder / "nowhere").message


def test_add_refuses_an_id_of_another_file_unless_told_to_replace(run: Run, write: Write) -> None:
    run("index", "add", write("one.jsonl", [{"id": "same", "text": FIRST}]))
    two = write("two.jsonl", [{"id": "same", "text": SECOND}])
    ran = run("index", "add", "--json", two)
    assert ran.code == 1
    assert "--replace" in ran.rows[0]["message"]
    assert run("index", "add", "--json", "--replace", two).rows[0]["outcome"] == "replaced"


def test_add_if_empty_does_nothing_once_there_are_articles(run: Run, filled: Path, write: Write) -> None:
    assert run("index", "add", "--if-empty", write("new.txt", "New.")) == Ran(0, "", "")
    assert {row["id"] for row in run("index", "list", "--json").rows} == {"gwadar", "quetta"}


def test_list_shows_everything_but_the_text_the_newest_first(run: Run, filled: Path) -> None:
    rows = run("index", "list", "--json").rows
    assert [row["id"] for row in rows] == ["gwadar", "quetta"]
    assert (
        rows[0] | {"title": "The port", "source": "Coast Weekly", "published": "2024-05-01", "sentences": 2} == rows[0]
    )
    assert "text" not in rows[0]
    assert "2024-05-01  gwadar" in run("index", "list").out


def test_list_of_an_empty_corpus_says_how_to_fill_it(run: Run) -> None:
    assert run("index", "list", "--json") == Ran(0, "", "")
    ran = run("index", "list")
    assert (ran.code, ran.out) == (0, "")
    assert "dateline index add" in ran.err


def test_remove_deletes_what_is_named(run: Run, filled: Path) -> None:
    assert run("index", "remove", "--json", "quetta", "quetta").rows == [{"removed": ["quetta"], "articles": 1}]
    assert [row["id"] for row in run("index", "list", "--json").rows] == ["gwadar"]


def test_remove_of_an_unknown_id_removes_nothing(run: Run, filled: Path) -> None:
    assert "nobody" in run("index", "remove", "quetta", "nobody").message
    assert len(run("index", "list", "--json").rows) == 2


def test_search_gives_passages_that_are_slices_best_first(run: Run, filled: Path) -> None:
    (row,) = run("index", "search", "--json", "When was the harbour opened?").rows
    assert [hit["article"] for hit in row["hits"]] == ["gwadar", "quetta"]
    for hit in row["hits"]:
        text = {"gwadar": FIRST, "quetta": SECOND}[hit["article"]]
        assert text[hit["start"] : hit["end"]] == hit["text"]
    assert row["hits"][0]["score"] > row["hits"][1]["score"]
    (row,) = run("index", "search", "--json", "--top", 1, "harbour").rows
    assert len(row["hits"]) == 1
    assert "Coast Weekly" in run("index", "search", "harbour").out


def test_search_answers_every_row_of_a_file(run: Run, filled: Path, tmp_path: Path) -> None:
    questions = tmp_path / "q.jsonl"
    questions.write_text('{"id": "1", "question": "harbour"}\n\n{"id": 2, "question": "railway", "extra": 1}\n')
    rows = run("index", "search", "--batch", questions).rows
    assert [(row["id"], row["hits"][0]["article"]) for row in rows] == [("1", "gwadar"), ("2", "quetta")]


def test_a_day_for_a_batch_is_that_of_the_rows_that_name_none(run: Run, write: Write, tmp_path: Path) -> None:
    for name, published in (("old", "2023-03-01"), ("new", "2025-04-15")):
        write(f"{name}.md", f"---\ntitle: Flood\npublished: {published}\n---\nA flood came to the {name} valley.")
    run("index", "add", tmp_path / "articles")
    questions = tmp_path / "q.jsonl"
    rows = [{"id": "1", "question": "Which flood came this week?"}]
    rows.append({**rows[0], "id": "2", "asked": "2025-04-16"})
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = run("index", "search", "--batch", questions, "--asked", "2023-03-02").rows
    assert [row["hits"][0]["article"] for row in found] == ["old", "new"]
    assert "soon" in run("index", "search", "--batch", questions, "--asked", "soon").message


@pytest.mark.parametrize("question", ['"', "NEAR(", "*", "OR", "-", "title:x", "'; DROP TABLE articles"])
def test_search_takes_any_question_for_words(run: Run, filled: Path, question: str) -> None:
    ran = run("index", "search", "--json", "--", question)
    assert (ran.code, len(ran.rows[0]["hits"])) == (0, 2)


def test_search_refuses_an_empty_question(run: Run, filled: Path) -> None:
    assert "empty" in run("index", "search", " ").message


@pytest.mark.parametrize("command", [["index", "search"], ["ask"]])
@pytest.mark.loopback
def test_a_question_that_is_no_text_is_one_message(run: Run, filled: Path, endpoint: Any, command: list[str]) -> None:
    assert run(*command, "harbour \udcff").message  # how the shell's stray bytes arrive


def test_search_of_an_empty_corpus_says_so(run: Run) -> None:
    assert run("index", "search", "--json", "harbour").rows == [{"id": "", "hits": []}]
    assert "empty" in run("index", "search", "harbour").err


@pytest.mark.parametrize(
    "arguments",
    [
        ["index", "search"],
        ["index", "search", "--top", "0", "x"],
        ["index", "add"],
        ["index", "remove"],
        ["nonsense"],
        ["ask"],
        ["ask", "x", "--batch", "q", "--out", "o"],
        ["ask", "--batch", "q"],
        ["ask", "--batch", "q", "--out", "o", "--history", "h"],
        ["ask", "x", "--out", "o"],
        ["ask", "--nope"],
        ["ask", "x", "--json", "--markdown"],
        ["ask", "--batch", "q", "--out", "o", "--by-source"],
        ["ask", "--batch", "q", "--out", "o", "--markdown"],
        ["ask", "x", "--by-source", "--history", "h"],
    ],
)
def test_wrong_usage_is_told_with_code_2(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert "Usage" in ran.err
    assert "Traceback" not in ran.err


# What can be wrong with a home


@pytest.mark.parametrize(
    "command",
    [["index", "list"], ["index", "add", "."], ["index", "search", "x"], ["index", "remove", "x"], ["ask", "x"]],
)
def test_a_home_that_is_a_file_is_one_message(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DATELINE_HOME", str(tmp_path / "file"))
    assert "DATELINE_HOME" in run(*command).message


def test_a_damaged_ledger_is_one_message_with_a_remedy(run: Run) -> None:
    path = load_settings().ledger_path
    path.parent.mkdir()
    path.write_bytes(b"no database " * 500)
    assert "ledger.sqlite3" in run("index", "list").message


def test_another_embedder_is_one_message_with_a_remedy(run: Run, filled: Path) -> None:
    with closing(sqlite3.connect(load_settings().ledger_path)) as database, database:
        database.execute("UPDATE meta SET value = 'other-1' WHERE name = 'embedder'")
    message = run("index", "search", "harbour").message
    assert "other-1" in message
    assert "DATELINE_EMBEDDER" in message


def test_an_embedder_that_is_not_here_is_one_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_EMBEDDER", "no-such/embedder")
    assert "no-such/embedder" in run("index", "list").message


def test_a_bad_configuration_is_one_message(run: Run) -> None:
    home = load_settings().home
    home.mkdir()
    (home / "config.toml").write_text("[llm]\nmodle = 'x'\n")
    assert "modle" in run("index", "list").message


def test_a_full_disk_is_one_message_and_changes_nothing(
    run: Run, filled: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage(NamedTuple):
        total: int = 10**12
        used: int = 10**12
        free: int = 10**6

    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda _: Usage())
        assert "MiB" in run("index", "add", write("new.txt", "New.")).message
    assert len(run("index", "list", "--json").rows) == 2


def test_ctrl_c_is_told_calmly(run: Run, filled: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as pressed:
        pressed.setattr(Embedder, "embed", interrupt)
        ran = run("index", "add", write("new.txt", "New."))
    assert ran.code == 130
    assert "kept" in ran.err
    assert "Traceback" not in ran.err
    assert len(run("index", "list", "--json").rows) == 2


def test_control_characters_of_articles_ids_and_paths_never_reach_the_terminal(
    run: Run, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_, **__: False)  # as on a terminal
    run(
        "index",
        "add",
        write("rows.jsonl", [{"id": "evil", "title": "\x1b[2JRed\x07", "text": "A \x1b]0;title\x07 harbour."}]),
    )
    added = run("index", "add", write("rows2.jsonl", [{"id": "id\x1b[2J", "text": "An id of bad manners."}]))
    outputs = [added.out]
    outputs += [run(*command).out for command in (["index", "list"], ["index", "search", "harbour"])]
    outputs += [run("index", "remove", "no\x1b[2J").err, run("index", "add", write("bad\x1b[2J.txt", "")).out]
    for output in outputs:
        assert "\x1b[2J" not in output
        assert "\x1b]0" not in output
        assert "\x07" not in output


def test_what_goes_to_a_file_or_a_pipe_has_no_colours(run: Run, write: Write) -> None:
    assert "\x1b" not in run("index", "add", write("good.txt", FIRST), write("bad.txt", "")).out
    assert "\x1b" not in run("index", "search", "harbour").out
    assert "\x1b" not in run("doctor").out


def test_the_installed_command_fails_with_one_message(tmp_path: Path) -> None:
    child = subprocess.run(
        [str(Path(sys.executable).with_name("dateline")), "index", "search", " "],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (child.returncode, child.stdout) == (1, "")
    assert child.stderr.startswith("dateline: ")
    assert len(child.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["--help"], ["index", "--help"], ["ask", "-h"], ["eval", "--help"], ["--version"]]
)
def test_help_is_at_hand(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert ran.code == 0
    assert "dateline" in ran.out.lower()


# ask


@pytest.mark.loopback
def test_ask_prints_the_answer_with_its_quotations(run: Run, filled: Path, endpoint: Any) -> None:
    ran = run("ask", "When was the harbour of Gwadar opened?")
    assert ran.code == 0
    assert "The harbour opened in 2007. [1]" in ran.out
    assert "“The harbour of Gwadar was opened in 2007.”\n    The port · Coast Weekly · 2024-05-01" in ran.out


@pytest.mark.loopback
def test_ask_prints_one_json_object(run: Run, filled: Path, endpoint: Any) -> None:
    ran = run("ask", "--json", "When was the harbour of Gwadar opened?", "--asked", "2025-07-27")
    assert (ran.code, ran.err) == (0, "")
    (row,) = ran.rows
    assert row["answer"] == "The harbour opened in 2007."
    assert row["sentences"][0]["citations"][0]["quote"] == "The harbour of Gwadar was opened in 2007."
    assert row["usage"] == {"prompt_tokens": 90, "cached_tokens": 40, "completion_tokens": 7}
    assert row["asked"] == "2025-07-27"


@pytest.mark.loopback
def test_ask_shows_the_nearest_passages_where_it_declines(run: Run, filled: Path, endpoint: Any) -> None:
    endpoint.pieces = ["None of the articles says", " who the mayor of Lahore is."]
    ran = run("ask", "Who is the mayor of Lahore in Punjab?")
    assert ran.code == 0
    assert ran.out.startswith("None of the articles says who the mayor of Lahore is.\n\nThe nearest passages:\n")
    assert "You could ask: Summarise the article “The port”." in ran.out
    assert endpoint.verdicts == 0, "there is nothing to judge in a refusal"
    assert "“The harbour of Gwadar was opened in 2007.”" in ran.out


@pytest.mark.loopback
def test_ask_declines_where_the_judge_finds_no_answer_and_says_so_once(run: Run, filled: Path, endpoint: Any) -> None:
    endpoint.judge = lambda asked: "no"
    ran = run("ask", "When was the harbour of Gwadar opened?")
    assert ran.code == 0
    assert ran.out.startswith("None of the articles says that.\n\nThe nearest passages:\n")
    assert ran.out.count("None of the articles") == 1
    assert endpoint.verdicts == 1
    markdown = run("ask", "--markdown", "When was the harbour of Gwadar opened?").out
    assert markdown.count("None of the articles says that.") == 1
    assert "What could be asked instead:\n\n- Summarise the article “The port”." in markdown


@pytest.mark.loopback
def test_ask_takes_a_conversation_from_a_file(run: Run, filled: Path, endpoint: Any, tmp_path: Path) -> None:
    talk = tmp_path / "talk.json"
    talk.write_text(
        json.dumps([{"role": "user", "content": "What is in Gwadar?"}, {"role": "assistant", "content": "A harbour."}])
    )
    assert run("ask", "--history", talk, "When was it opened?").code == 0
    assert "A harbour." in endpoint.requests[0]["messages"][-1]["content"]


@pytest.mark.loopback
@pytest.mark.parametrize(
    "content", [None, "", "{}", "[1]", '[{"role": "system", "content": "x"}]', '[{"role": "user"}]', "[" * 100_000]
)
def test_a_bad_conversation_is_one_message(
    run: Run, filled: Path, endpoint: Any, tmp_path: Path, content: str | None
) -> None:
    talk = tmp_path / "talk.json"
    if content is not None:
        talk.write_text(content)
    assert "talk.json" in run("ask", "--history", talk, "When?").message
    assert endpoint.requests == []


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([""], "empty"),
        (["x" * 2_001], "2,001"),
        (["When?", "--asked", "yesterday"], "'yesterday'"),
        (["When?", "--asked", "2025-02-30"], "2025-02-30"),
    ],
)
def test_a_question_that_cannot_be_asked_is_one_message(
    run: Run, filled: Path, endpoint: Any, arguments: list[str], told: str
) -> None:
    assert told in run("ask", *arguments).message
    assert endpoint.requests == []


@pytest.mark.loopback
def test_ask_of_an_empty_corpus_says_how_to_fill_it(run: Run, endpoint: Any) -> None:
    assert "dateline index add" in run("ask", "When?").message


@pytest.mark.loopback
def test_an_endpoint_that_fails_is_one_message(
    run: Run, filled: Path, endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.models.endpoint.sleep", lambda seconds: None)  # between attempts
    endpoint.status = 500
    message = run("ask", "When was the harbour opened?").message
    assert "on fire" in message
    assert "doctor" in message


def test_a_missing_model_file_is_one_message(run: Run, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_MODEL", "/nowhere/model.gguf")
    assert "/nowhere/model.gguf" in run("ask", "When was the harbour opened?").message


@pytest.mark.loopback
def test_ask_writes_markdown_with_footnotes(run: Run, filled: Path, endpoint: Any) -> None:
    ran = run("ask", "--markdown", "When was the harbour of Gwadar opened?")
    assert (ran.code, ran.err) == (0, "")
    assert "The harbour opened in 2007.[^1]\n" in ran.out
    assert "[^1]: The port · Coast Weekly · 2024-05-01: “The harbour of Gwadar was opened in 2007.”\n" in ran.out


@pytest.mark.loopback
def test_ask_by_source_gives_the_position_of_each_article(run: Run, filled: Path, endpoint: Any) -> None:
    ran = run("ask", "--by-source", "When was the harbour of Gwadar opened?")
    assert (ran.code, ran.err) == (0, "")
    assert "The port · Coast Weekly · 2024-05-01\n  The harbour opened in 2007. [1]\n" in ran.out
    assert "[1] “The harbour of Gwadar was opened in 2007.”" in ran.out
    assert len(endpoint.requests) == 2
    (row,) = run("ask", "--by-source", "--json", "When was the harbour of Gwadar opened?").rows
    assert {p["article"] for p in row["positions"]} == {"gwadar", "quetta"}
    assert "- **The port · Coast Weekly" in run("ask", "--by-source", "--markdown", "When was it opened?").out


@pytest.mark.loopback
def test_ask_by_source_names_the_silent(run: Run, filled: Path, endpoint: Any) -> None:
    endpoint.pieces = ["None of the articles says that."]
    ran = run("ask", "--by-source", "Who is the mayor of Lahore?")
    assert ran.out.count("  The article does not say.\n  Its nearest sentence: [") == 2


@pytest.mark.loopback
def test_ask_by_source_stops_calmly(run: Run, filled: Path, endpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rag.models.llm.LLM.write", interrupt)
    ran = run("ask", "--by-source", "When was the harbour of Gwadar opened?")
    assert (ran.code, ran.out) == (130, "")
    assert "Traceback" not in ran.err
