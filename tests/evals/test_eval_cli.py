"""`dateline eval …` as a person or a script sees it: output, files, exit codes, one message for an error."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import evals.cli
import evals.run
from evals.cli import SEEDS_CORPUS, SEEDS_GOLD, command
from evals.gold import write_gold
from evals.record import Record, load, run_path, save
from index.settings import Settings
from tests.conftest import Run
from tests.evals.handmade import QUESTIONS, Pipeline, opener, record_of
from tests.evals.test_gate import Mute, Talker, WrongWords


@pytest.fixture
def run(dateline: Run) -> Run:
    return functools.partial(dateline, "eval")


@pytest.fixture
def answered_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Pipeline], None]:
    """Let the commands ask a pipeline of words instead of the assistant."""

    def answered_by(pipeline: Pipeline) -> None:
        asking = functools.partial(evals.run.run, open_asker=opener(pipeline))
        monkeypatch.setattr("evals.cli.run_questions", asking)
        monkeypatch.setattr("evals.sweep.run", asking)

    answered_by(Pipeline())
    return answered_by


@pytest.fixture
def gold(tmp_path: Path, answered_by: Any) -> Path:
    path = tmp_path / "gold.jsonl"
    write_gold(path, QUESTIONS)
    return path


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """What the commands ask a run for; they get a ready record."""
    made: list[dict[str, Any]] = []

    def recorded(gold: Path, corpus: Path | None, settings: Settings, **options: Any) -> Record:
        made.append({"gold": gold, "corpus": corpus, "settings": settings, **options})
        return record_of(Pipeline(), tmp_path, f"ready-{len(made)}")

    monkeypatch.setattr("evals.cli.run_questions", recorded)
    return made


# run


def test_without_a_subcommand_the_projects_own_questions_are_asked(run: Run, calls: list[dict[str, Any]]) -> None:
    bare, spelt = run(), run("run")
    assert (bare.code, spelt.code) == (0, 0)
    assert [(call["gold"], call["corpus"]) for call in calls] == [(SEEDS_GOLD, SEEDS_CORPUS)] * 2
    assert [{k: call[k] for k in ("sample", "name", "fresh", "judge")} for call in calls] == [
        {"sample": None, "name": "", "fresh": False, "judge": None}
    ] * 2


def test_a_run_prints_its_figures_by_layer_and_is_kept_by_name(run: Run, gold: Path, settings: Settings) -> None:
    ran = run("run", gold, "--name", "mine")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "mine: 16 of 16 questions of gold.jsonl about the 8 articles of home, words"
    layers = [line for line in lines if line in ("retrieval", "evidence", "answer", "citations", "declining", "cost")]
    assert layers == ["retrieval", "evidence", "answer", "citations", "declining", "cost"]
    right = next(line for line in lines if line.startswith("  right "))
    assert right.split()[:4] == ["right", "1.000", "16", "0.806–1.000"]
    must = next(line for line in lines if line.startswith("  must "))
    assert must.split()[:4] == ["must", "–", "0", "8"], "nobody could be judged, eight are unscored"
    assert ran.err.strip() == f"Kept as mine: {settings.home}/runs/mine.json"
    assert load("mine", settings.home).name == "mine"
    assert "mine" in run("run", gold, "--name", "mine").message


def test_what_failed_is_listed_with_its_step_and_what_was_wanted(run: Run, gold: Path, answered_by: Any) -> None:
    answered_by(WrongWords())
    out = run("run", gold).out
    assert "8 of 16 failed, first at: reading 8" in out
    asked = "  known-mill fact, reading: Tell what is employs by The paper mill at Ashby?"
    assert f"{asked}\n    wanted 75 workers\n    got    It was much talked about." in out


def test_what_a_model_writes_can_not_command_the_terminal(run: Run, gold: Path, answered_by: Any) -> None:
    class Rude(Pipeline):
        def read(self, question: str, evidence: Any) -> str:
            return "\x1b[2J\x1b]0;owned\x07"

    answered_by(Rude())
    assert run("run", gold, "--name", "rude").code == 0
    outputs = [run("run", gold), run("compare", "rude", "rude"), run("gate", "rude", "rude")]
    assert not any("\x1b" in ran.out or "\x07" in ran.out for ran in outputs)


def test_a_run_as_json_is_its_record(run: Run, gold: Path, settings: Settings) -> None:
    ran = run("run", gold, "--json", "--sample", "3")
    value = json.loads(ran.out)
    assert (value["schema"], len(value["items"])) == ("dateline-run/1", 3)
    assert load(value["name"], settings.home).name == value["name"]


@pytest.mark.parametrize(("suffix", "begins"), [("html", "<!doctype html"), ("md", "#"), ("json", "{")])
def test_a_report_can_be_written_with_the_run(run: Run, gold: Path, tmp_path: Path, suffix: str, begins: str) -> None:
    out = tmp_path / f"report.{suffix}"
    assert run("run", gold, "--out", out).code == 0
    assert out.read_text().lower().startswith(begins)


def test_settings_are_set_for_one_run(run: Run, gold: Path, calls: list[dict[str, Any]]) -> None:
    assert run("run", gold, "--set", "evidence_tokens=600", "--set", "model=/m.gguf", "--fresh").code == 0
    (call,) = calls
    assert (call["settings"].evidence_tokens, call["settings"].model, call["fresh"]) == (600, "/m.gguf", True)
    assert call["corpus"] is None


@pytest.mark.parametrize("assignment", ["tokens=6", "evidence_tokens", "evidence_tokens=", "=6", "api_key=x"])
def test_an_unknown_setting_lists_the_known_ones(
    run: Run, gold: Path, calls: list[dict[str, Any]], assignment: str
) -> None:
    for subcommand in ("run", "sweep"):
        ran = run(subcommand, gold, "--set", assignment)
        assert ran.code == 2
        assert "embedder, model, endpoint, context_tokens, evidence_tokens" in ran.err
        assert assignment in ran.err
    assert calls == []


def test_a_wrong_value_of_a_setting_is_named(run: Run, gold: Path, calls: list[dict[str, Any]]) -> None:
    assert "'many'" in run("run", gold, "--set", "evidence_tokens=many").message
    assert "'many'" in run("sweep", gold, "--set", "evidence_tokens=480,many").message
    assert "sweep" in run("run", gold, "--set", "evidence_tokens=1,2").err
    assert calls == []


def test_broken_gold_rows_are_named_and_make_the_exit_code_1(run: Run, gold: Path, settings: Settings) -> None:
    gold.write_text("{broken\n" + gold.read_text() + '{"id": "x"}\n')
    ran = run("run", gold, "--name", "half")
    assert ran.code == 1
    assert "right" in ran.out
    assert "2 rows of gold.jsonl can't be used:" in ran.err
    assert "line 1: is not JSON" in ran.err
    assert "line 18:" in ran.err
    assert len(load("half", settings.home).items) == 16


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "{gold}", "--corpus", "/nowhere"], "/nowhere"),
        (["run", "/nowhere.jsonl"], "/nowhere.jsonl"),
        (["run", "{gold}", "--out", "/nowhere/x.json"], "/nowhere"),
        (["run", "{gold}", "--name", "../x"], "'../x'"),
        (["compare", "nobody", "nothing"], "'nobody'"),
        (["report", "nobody"], "'nobody'"),
        (["gate", "nobody.json"], "'nobody.json'"),
        (["import", "{gold}", "--out", "/nowhere/x.jsonl"], "/nowhere"),
        (["draft", "--out", "/nowhere/x.jsonl"], "/nowhere"),
    ],
)
def test_an_error_names_what_is_wrong(run: Run, gold: Path, arguments: list[str], told: str) -> None:
    assert told in run(*(str(gold) if each == "{gold}" else each for each in arguments)).message


def test_ctrl_c_says_how_much_is_kept(run: Run, gold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Pipeline):
        def ask(self, *question: Any) -> Any:
            if len(self.asked) == 3:
                raise KeyboardInterrupt
            return super().ask(*question)

    monkeypatch.setattr("evals.cli.run_questions", functools.partial(evals.run.run, open_asker=opener(Slow())))
    ran = run("run", gold)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.strip() == "Stopped. 3 of 16 questions are answered and kept; the same command goes on from there."
    assert "the same command without --fresh goes on" in run("run", gold, "--fresh").err


# compare, sweep, report


@pytest.fixture
def two(tmp_path: Path, settings: Settings) -> tuple[Record, Record]:
    """Runs `before` and `after`, the second of which always answers."""
    before, after = record_of(Pipeline(), tmp_path, "before"), record_of(Talker(), tmp_path, "after")
    for record in (before, after):
        save(record, run_path(settings.home, record.name))
    return before, after


def test_two_runs_are_compared_by_name_or_file(run: Run, two: Any, settings: Settings) -> None:
    ran = run("compare", "before", "after")
    assert ran.code == 0
    assert "B is worse on right (p = .02" in ran.out
    assert "8 flipped" in ran.out
    value = json.loads(run("compare", run_path(settings.home, "before"), "after", "--json").out)
    assert (value["a"], value["b"], value["n"], len(value["flips"])) == ("before", "after", 16, 8)


def test_a_sweep_prints_the_front_and_keeps_every_run(run: Run, gold: Path, settings: Settings) -> None:
    ran = run("sweep", gold, "--set", "evidence_tokens=300,480", "--sample", "4")
    assert ran.code == 0
    assert "* evidence_tokens=300   1.000" in ran.out
    value = json.loads(run("sweep", gold, "--set", "evidence_tokens=300", "--json").out)
    assert [point["set"] for point in value["points"]] == [{"evidence_tokens": 300}]
    runs = sorted(path.stem for path in (settings.home / "runs").iterdir())
    assert len(runs) == 3
    assert value["points"][0]["run"] in runs


def test_a_report_is_written_as_its_suffix_says(
    run: Run, two: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("report", "after").code == 0
    assert (tmp_path / "after.html").read_text().lower().startswith("<!doctype html")
    assert run("report", "after", "--out", "a.json").code == 0
    assert load(tmp_path / "a.json", tmp_path) == two[1]
    assert run("report", "after", "--against", "before", "--out", "both.html").code == 0
    assert (tmp_path / "both.html").read_text() != (tmp_path / "after.html").read_text()
    assert run("report", "after", "--out", "a.pdf").code == 2
    assert run("report", "after", "--out", "a.md", "--against", "before").code == 2


# gate


def test_the_gate_passes_an_equal_run_and_fails_a_worse_one(run: Run, two: Any) -> None:
    assert run("gate", "before", "before").code == 0
    ran = run("gate", "before", "after")
    assert ran.code == 1
    assert "it begins at: declining" in ran.out
    assert "unknown-quarry" in ran.out
    value = json.loads(run("gate", "before", "after", "--json").out)
    assert (value["passed"], value["layer"]) == (False, "declining")


def test_without_a_run_the_gate_asks_the_baselines_questions_of_the_seeds(
    run: Run, two: Any, calls: list[dict[str, Any]], settings: Settings
) -> None:
    ran = run("gate", run_path(settings.home, "before"))
    assert ran.code == 0
    (call,) = calls
    assert (call["gold"], call["corpus"]) == (SEEDS_GOLD, SEEDS_CORPUS)
    assert call["only"] == [item.id for item in two[0].items]
    assert "Kept as ready-1" in ran.err


def test_the_gate_is_not_moved_by_broken_refusal_that_it_was_told_to_expect(
    run: Run, tmp_path: Path, settings: Settings
) -> None:
    mute = record_of(Mute(), tmp_path, "mute")
    save(mute, run_path(settings.home, "mute"))
    assert run("gate", "mute", "mute").code == 0


# import, draft


SQUAD = {
    "version": "1.1",
    "data": [
        {
            "title": "Elmford",
            "paragraphs": [
                {
                    "context": "The iron bridge of Elmford cost 14 million euros. It is red.",
                    "qas": [
                        {"id": "s1", "question": "What did the bridge cost?",
                         "answers": [{"text": "14 million euros", "answer_start": 32}]},
                        {"id": "s2", "question": "Is it red?", "answers": [{"text": "blue", "answer_start": 3}]},
                    ],
                }
            ],
        }
    ],
}  # fmt: skip


def test_questions_of_another_format_are_imported_and_bad_rows_named(run: Run, tmp_path: Path) -> None:
    source, out, articles = (tmp_path / name for name in ("squad.json", "gold.jsonl", "articles.jsonl"))
    source.write_text(json.dumps(SQUAD))
    ran = run("import", source, "--out", out, "--articles", articles)
    assert ran.code == 1
    assert ran.out.splitlines() == [f"1 questions in {out}.", f"1 articles in {articles}."]
    assert "1 rows of squad.json can't be used:" in ran.err
    (row,) = [json.loads(line) for line in out.read_text().splitlines()]
    assert row["answers"] == ["14 million euros"]
    (article,) = [json.loads(line) for line in articles.read_text().splitlines()]
    assert article["text"] == SQUAD["data"][0]["paragraphs"][0]["context"]  # type: ignore[index]


@pytest.mark.loopback
def test_questions_are_drafted_for_review(run: Run, tmp_path: Path, write: Any, folder: Path, endpoint: Any) -> None:
    write("bridge.txt", "The iron bridge of Elmford was opened in 1907, and it cost Westmoor County 14 million euros.")
    endpoint.pieces = ["Question: What did the iron bridge of Elmford cost?\n", "Answer: 14 million euros"]
    out = tmp_path / "drafts.jsonl"
    ran = run("draft", "--corpus", folder, "--n", "1", "--out", out)
    assert (ran.code, ran.out.split(".jsonl, ")[1]) == (0, "0 proposals dropped. Review each, then set `reviewed`.\n")
    (row,) = [json.loads(line) for line in out.read_text().splitlines()]
    assert (row["reviewed"], row["answers"]) == (False, ["14 million euros"])
    assert "reviewed" in run("run", out, "--corpus", folder).message


# help


@pytest.mark.parametrize("name", sorted(command.commands))
def test_every_command_helps_with_an_example(run: Run, name: str) -> None:
    ran = run(name, "--help")
    assert ran.code == 0
    assert f"Example: dateline eval {name}" in ran.out
    assert name in run("--help").out


def test_supported_sentences_are_listed_for_a_reader(run: Run, two: Any, tmp_path: Path) -> None:
    ran = run("supported", "before", "--n", "3")
    assert ran.code == 0
    assert ran.out.count("Verdict:") == 3
    out = tmp_path / "to-read.md"
    assert run("supported", "before", "--n", "3", "--out", out).code == 0
    assert out.read_text(encoding="utf-8").strip() == ran.out.strip()
    assert ".md" in run("supported", "before", "--out", tmp_path / "to-read.txt").err
