from __future__ import annotations

import dataclasses
import json
import subprocess
import tomllib
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

import rag.models
from evals import record as records
from evals.record import Record, code_hash, environment, from_json, load, run_path, save, sources
from evals.scoring import METRICS
from index.errors import GoldError
from tests.evals.handmade import QUESTIONS, Pipeline, question, record_of


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Two answered questions, one declined, one that can't be judged."""
    return record_of(Pipeline(), tmp_path, "made", [*QUESTIONS[:2], QUESTIONS[-1], question(gold_articles=("bridge",))])


def plain(record: Record) -> Any:
    return json.loads(json.dumps(record.to_json()))


def test_a_record_comes_back_from_its_file_as_it_was(record: Record, tmp_path: Path) -> None:
    save(record, tmp_path / "runs" / "one.json")
    assert load(tmp_path / "runs" / "one.json", tmp_path) == record
    assert load("one", tmp_path) == record
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["one.json"]


def test_the_json_of_a_record_has_the_keys_of_the_contract(record: Record) -> None:
    value = plain(record)
    assert (
        list(value)
        == (
            "schema name gold corpus settings prompts models judge versions code commit dirty machine seeds started "
            "finished items"
        ).split()
    )
    assert (
        list(value["items"][0])
        == (
            "id kind tags question history asked answerable answers must gold gold_articles reference standalone hits "
            "answer scores unscored failure error cached"
        ).split()
    )
    assert value["schema"] == "dateline-run/1"
    assert set(value["items"][0]["hits"][0]) == {"article", "title", "start", "end", "score", "cosine"}


def test_a_home_is_asked_by_name_and_says_which_runs_it_has(record: Record, tmp_path: Path) -> None:
    save(record, run_path(tmp_path, "before"))
    with pytest.raises(GoldError, match=r"'after'.*The last ones there: before"):
        load("after", tmp_path)
    with pytest.raises(GoldError, match="dateline eval run"):
        load("after", tmp_path / "elsewhere")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\nb"])
def test_the_name_of_a_run_is_a_plain_file_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(GoldError, match="name of a run"):
        run_path(tmp_path, name)


def at(value: Any, *path: str | int) -> Any:
    for step in path:
        value = value[step]
    return value


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda v: v.pop("seeds"), "lacks seeds"),
        (lambda v: v.update(extra=1), "unknown extra"),
        (lambda v: v.update(schema="dateline-run/2"), "'dateline-run/2'"),
        (lambda v: v.update(dirty="no"), "dirty is 'no' instead of true or false"),
        (lambda v: v["gold"].update(asked=True), "gold.asked is 'True' instead of a whole number"),
        (lambda v: v["items"][1].pop("hits"), "items[1] lacks hits"),
        (lambda v: v["items"][1].update(must=["x"]), "items[1].must[0] is 'x' instead of a list"),
        (lambda v: v["items"][0]["scores"].update(right="1"), "items[0].scores.right is '1' instead of a number"),
        (lambda v: v["items"][0]["answer"].pop("sentences"), "items[0].answer lacks sentences"),
        (lambda v: v["items"][0]["answer"].pop("invented_markers"), "items[0].answer lacks invented_markers"),
        (lambda v: v["items"][0]["answer"]["timings"].pop("total_ms"), "items[0].answer.timings lacks total_ms"),
        (
            lambda v: v["items"][0]["answer"]["sentences"][0]["citations"][0].pop("url"),
            "items[0].answer.sentences[0].citations[0] lacks url",
        ),
        (lambda v: v["items"][0]["hits"][0].update(start=0.5), "items[0].hits[0].start is '0.5'"),
        (lambda v: v["items"].append(v["items"][0]), "'known-bridge' twice"),
        (lambda v: v.update(items={}), "items is '{}' instead of a list"),
    ],
)
def test_what_is_wrong_in_a_record_is_named_with_its_place(
    record: Record, tmp_path: Path, spoil: Callable[[Any], Any], told: str
) -> None:
    value = plain(record)
    spoil(value)
    path = tmp_path / "spoilt.json"
    path.write_text(json.dumps(value))
    with pytest.raises(GoldError) as caught:
        load(path, tmp_path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_answer_may_gain_fields_and_a_record_may_not(record: Record) -> None:
    value = plain(record)
    value["items"][0]["answer"]["mood"] = "good"
    assert from_json(value).items[0].answer["mood"] == "good"  # type: ignore[index]


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"schema": NaN}', "[" * 100_000, b"\xff\xfe"])
def test_a_file_that_is_no_record_is_named(content: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(GoldError, match=r"x\.json is not a run record"):
        load(path, tmp_path)


def test_figures_stand_in_the_order_of_the_registry_with_n(record: Record) -> None:
    figures = record.figures()
    assert list(figures) == [name for name in METRICS if name in figures]
    assert (figures["right"].value, figures["right"].n) == (1.0, 3)
    assert (figures["declined"].value, figures["declined"].n) == (1.0, 1)
    assert figures["hit@1"].n == 3
    assert "total_ms" not in figures
    assert record.medians()["total_ms"] == 4.0
    assert "standalone_f1" not in figures


def test_what_was_not_judged_is_counted(record: Record) -> None:
    assert record.unscored()["right"] == 1
    assert record.unscored()["must"] == 3
    assert "declined" not in record.unscored()


def test_saving_over_a_record_never_leaves_half_of_one(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.json"
    save(record, path)
    before = path.read_bytes()
    write = Path.write_text

    def full(self: Path, text: str, **options: Any) -> int:
        write(self, text[: len(text) // 2], **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(GoldError, match=r"one\.json can't be written: No space left"):
        save(dataclasses.replace(record, name="two"), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir() if "one.json" in each.name] == ["one.json"]


def test_the_environment_tells_versions_and_machine() -> None:
    where = environment()
    assert {"dateline", "python", "torch", "chromadb", "xllamacpp"} <= set(where.versions)
    assert where.versions["python"].startswith("3.")
    assert where.machine["cores"] >= 1
    assert where.machine["memory_gib"] > 0
    assert where.machine["cpu"]
    assert len(where.code) == 12


def test_the_commit_is_that_of_this_repository_and_of_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(records.__file__).parent, capture_output=True, text=True
    ).stdout.strip()
    assert environment().commit == head
    monkeypatch.setattr(records, "_ROOT", Path(records.__file__).parent)  # inside a repository, and not its root
    assert (environment().commit, environment().dirty) == ("", False)
    monkeypatch.setenv("PATH", str(tmp_path))  # no git at all
    assert environment().commit == ""


def test_the_hash_of_the_code_changes_with_any_source(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    source.write_text("x = 1\n")
    before = code_hash([source])
    source.write_text("x = 2\n")
    assert code_hash([source]) != before
    assert code_hash() == code_hash() != before


def test_a_sub_package_falls_out_of_neither_the_digest_nor_the_installation() -> None:
    assert Path(str(rag.models.__file__)) in sources(rag)
    root = Path(str(rag.__file__)).parents[1]
    told = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = told["tool"]["setuptools"]["packages"]["find"]["include"]
    assert all(fnmatch("rag.models", pattern) for pattern in patterns if pattern.startswith("rag"))
    assert not [pattern for pattern in patterns if fnmatch("tests", pattern)]
