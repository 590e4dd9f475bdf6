"""How a run is asked, kept, continued and described; what it measures is tested in test_scoring.py."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import prompts
from evals.cache import JsonCache
from evals.gold import GoldQuestion, to_row, write_gold
from evals.judge import Judge
from evals.record import Record, from_json, plain_settings
from evals.run import AssistantAsker, ask_items, choose, determinants, indexed, run
from index.embedding import Embedder
from index.errors import GoldError, ModelError, QuestionError, ReadError
from index.search import Hit, Index
from index.settings import BUNDLED_MODEL, PLAIN_MODEL, Settings
from rag.types import Answer, Turn
from tests.evals.handmade import ARTICLES, QUESTIONS, Pipeline, opener

ROOT = Path(__file__).parents[2]
ORDERED = [question.question for question in sorted(QUESTIONS, key=lambda question: question.id)]


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.jsonl"
    write_gold(path, QUESTIONS)
    return path


@pytest.fixture
def go(gold: Path, settings: Settings) -> Callable[..., Record]:
    """A run of a pipeline over the gold file, with an answer cache of this test."""

    def go(pipeline: Pipeline, **options: Any) -> Record:
        return run(options.pop("gold", gold), None, settings, **{"open_asker": opener(pipeline), **options})

    return go


def measured(record: Record) -> list[Any]:
    """Everything about the items but where their answers came from."""
    return [dataclasses.replace(item, cached=False) for item in record.items]


def test_every_question_is_asked_once_and_becomes_an_item(go: Callable[..., Record]) -> None:
    pipeline = Pipeline()
    record = go(pipeline)
    assert pipeline.asked == ORDERED
    assert [item.id for item in record.items] == sorted(question.id for question in QUESTIONS)
    assert (record.gold["questions"], record.gold["asked"], record.gold["broken"]) == (16, 16, [])
    assert (record.corpus["articles"], record.models["llm"]) == (8, "words")
    assert from_json(json.loads(json.dumps(record.to_json()))) == record
    item = record.items[0]
    assert item.answer is not None
    assert (item.question, item.failure, item.error, item.cached) == (ORDERED[0], None, None, False)
    assert item.hits[0]["article"] == item.gold_articles[0] == item.gold[0]["article"]


def test_a_second_run_asks_nothing_and_is_the_same(go: Callable[..., Record]) -> None:
    first, again = Pipeline(), Pipeline()
    one, two = go(first), go(again)
    assert again.asked == []
    assert measured(one) == measured(two)
    assert one.figures() == two.figures()
    assert all(item.cached for item in two.items)
    assert (one.gold, one.corpus) == (two.gold, two.corpus)


def test_fresh_asks_again_and_keeps_the_new_answers(go: Callable[..., Record]) -> None:
    class Other(Pipeline):
        def decline(self, question: str, evidence: Any) -> bool:
            return True

    go(Pipeline())
    other = Other()
    fresh = go(other, fresh=True)
    assert other.asked == ORDERED
    assert measured(go(Pipeline())) == measured(fresh)


def test_a_shuffled_gold_file_changes_nothing(go: Callable[..., Record], tmp_path: Path) -> None:
    shuffled = list(QUESTIONS)
    random.Random(7).shuffle(shuffled)
    (tmp_path / "other").mkdir()
    path = tmp_path / "other" / "gold.jsonl"
    write_gold(path, shuffled)
    pipeline = Pipeline()
    for options in ({}, {"sample": 5}):
        one, two = go(Pipeline(), fresh=True, **options), go(pipeline, gold=path, fresh=True, **options)
        assert measured(one) == measured(two)
        assert (one.gold, one.figures()) == (two.gold, two.figures())
    assert pipeline.asked[:16] == ORDERED


def test_the_digest_of_the_gold_changes_with_any_question(go: Callable[..., Record], tmp_path: Path) -> None:
    path = tmp_path / "changed.jsonl"
    write_gold(path, [*QUESTIONS[:-1], dataclasses.replace(QUESTIONS[-1], tags=("new",))])
    assert go(Pipeline()).gold["digest"] != go(Pipeline(), gold=path).gold["digest"]


def test_a_sample_grows_by_adding_questions() -> None:
    samples = [{question.id for question in choose(QUESTIONS, n)} for n in (4, 5, 16, 99)]
    assert [len(each) for each in samples] == [4, 5, 16, 16]
    assert samples[0] < samples[1] < samples[2] == samples[3]


def test_only_the_named_questions_are_asked(go: Callable[..., Record]) -> None:
    record = go(Pipeline(), only=["known-mill", "unknown-quarry", "gone"])
    assert [item.id for item in record.items] == ["known-mill", "unknown-quarry"]
    with pytest.raises(GoldError, match=r"gold\.jsonl holds none of the 1 questions"):
        go(Pipeline(), only=["gone"])


@pytest.mark.parametrize("name", ["settings", "prompts", "models", "corpus", "llama.cpp", "code"])
def test_whatever_determines_an_answer_makes_a_new_one(go: Callable[..., Record], name: str) -> None:
    go(Pipeline(), sample=1)
    other = Pipeline()
    other.determinants = {**other.determinants, name: {**other.determinants["models"], "x": "y"}}
    if name == "corpus":
        other.determinants["corpus"] = "other"
    go(other, sample=1)
    assert len(other.asked) == 1


def test_the_history_and_the_date_of_a_question_make_a_new_one(tmp_path: Path) -> None:
    question, pipeline, cache = QUESTIONS[0], Pipeline(), JsonCache(tmp_path)
    ask_items([question], pipeline, cache)
    for other in (
        dataclasses.replace(question, history=(Turn("user", "Hello."),)),
        dataclasses.replace(question, asked="2025-07-27"),
    ):
        ask_items([other], pipeline, cache)
    assert len(pipeline.asked) == 3
    ask_items([dataclasses.replace(question, id="renamed", answers=("other gold",))], pipeline, cache)
    assert len(pipeline.asked) == 3, "neither the id nor the gold determines the answer"


# What goes wrong


KILLED = """
import sys
from pathlib import Path
from evals.run import run
from index.settings import load_settings
from tests.evals.handmade import Suicidal, opener
diary, gold, nth = sys.argv[1:]
run(Path(gold), None, load_settings(), open_asker=opener(Suicidal(Path(diary), int(nth))))
"""


def test_a_killed_run_is_continued_without_asking_again(
    go: Callable[..., Record], gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diary = tmp_path / "diary"
    command = [sys.executable, "-c", KILLED, str(diary), str(gold), "6"]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert diary.read_text().splitlines() == ORDERED[:6]
    pipeline = Pipeline()
    record = go(pipeline)
    assert pipeline.asked == ORDERED[5:], "five were answered, the sixth was being asked"
    assert [item.cached for item in record.items] == [True] * 5 + [False] * 11
    assert measured(record) == measured(go(Pipeline(), fresh=True))


def test_what_was_asked_before_ctrl_c_is_kept(go: Callable[..., Record]) -> None:
    class Interrupted(Pipeline):
        def ask(self, question: str, history: Sequence[Turn], asked: str) -> tuple[Sequence[Hit], Answer]:
            if len(self.asked) == 3:
                raise KeyboardInterrupt
            return super().ask(question, history, asked)

    with pytest.raises(KeyboardInterrupt):
        go(Interrupted())
    pipeline = Pipeline()
    go(pipeline)
    assert pipeline.asked == ORDERED[3:]


def failing(**errors: Exception) -> Pipeline:
    """A pipeline that fails for some ids (hyphens as underscores)."""
    by_question = {q.question: errors[q.id.replace("-", "_")] for q in QUESTIONS if q.id.replace("-", "_") in errors}

    class Failing(Pipeline):
        def ask(self, question: str, history: Sequence[Turn], asked: str) -> tuple[Sequence[Hit], Answer]:
            if question in by_question:
                raise by_question[question]
            return super().ask(question, history, asked)

    return Failing()


@pytest.mark.parametrize("error", [QuestionError("too long"), ModelError("gone"), ZeroDivisionError("oops")])
def test_an_error_of_one_question_is_recorded_and_the_others_are_asked(
    go: Callable[..., Record], error: Exception
) -> None:
    record = go(failing(known_ferry=error))
    item = next(item for item in record.items if item.id == "known-ferry")
    assert (item.failure, item.answer, item.hits) == ("error", None, ())
    assert item.error == f"{type(error).__name__}: {error}"
    assert set(item.unscored) == {"right", "false_refusal"}
    assert sum(item.answer is not None for item in record.items) == 15
    again = Pipeline()
    go(again)
    assert len(again.asked) == 1, "an error is not kept as an answer"


def test_a_model_that_fails_twice_in_a_row_ends_the_run(go: Callable[..., Record]) -> None:
    gone = ModelError("The model is gone.")
    with pytest.raises(ModelError, match=r"^The model is gone\. What was asked before is kept"):
        go(failing(known_ferry=gone, known_garden=gone))
    pipeline = Pipeline()
    go(pipeline)
    assert pipeline.asked == ORDERED[2:], "bridge and canal were answered"
    assert len(go(failing(known_bridge=gone, known_ferry=gone), fresh=True).items) == 16, "not in a row"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"hits": ['])
def test_a_damaged_answer_in_the_cache_is_asked_again(
    go: Callable[..., Record], settings: Settings, content: str
) -> None:
    go(Pipeline())
    kept = sorted((settings.cache / "evals" / "answers").rglob("*.json"))
    assert len(kept) == 16
    kept[3].write_text(content)
    pipeline = Pipeline()
    record = go(pipeline)
    assert len(pipeline.asked) == 1
    assert not [item for item in record.items if item.failure]


def test_broken_gold_rows_are_named_and_nothing_else_is_lost(go: Callable[..., Record], gold: Path) -> None:
    lines = gold.read_text().splitlines(keepends=True)
    gold.write_text("".join([*lines[:2], "{broken\n", *lines[2:]]))
    record = go(Pipeline())
    assert [row["line"] for row in record.gold["broken"]] == [3]
    assert len(record.items) == 16


def test_a_run_takes_no_name_that_is_taken(go: Callable[..., Record], settings: Settings) -> None:
    assert go(Pipeline(), name="mine").name == "mine"
    (settings.home / "runs").mkdir(parents=True)
    (settings.home / "runs" / "mine.json").write_text("{}")
    pipeline = Pipeline()
    with pytest.raises(GoldError, match="'mine' already"):
        go(pipeline, name="mine", fresh=True)
    assert pipeline.asked == []


def test_progress_counts_every_question(go: Callable[..., Record]) -> None:
    told: list[tuple[str, int, int]] = []
    go(Pipeline(), sample=3, progress=lambda *step: told.append(step))
    assert told == [("asking", 1, 3), ("asking", 2, 3), ("asking", 3, 3)]


# The judge


def test_a_judge_is_named_and_asked_once_about_what_was_answered(go: Callable[..., Record]) -> None:
    calls: list[Any] = []

    def write(messages: Sequence[prompts.Message], max_tokens: int) -> str:
        calls.append(messages)
        right = "90,000" not in messages[-1].content
        return f"Reason: because.\nVerdict: {'right' if right else 'unclear'}"

    judge = Judge(write, "wise")
    record = go(Pipeline(), judge=judge)
    assert record.judge == {"model": "wise", "prompt": prompts.versions()["judge"]}
    assert len(calls) == 8, "refusals and unanswerable questions are not for it to judge"
    assert (record.figures()["judged"].value, record.figures()["judged"].n) == (1.0, 7)
    assert next(item for item in record.items if item.id == "known-library").unscored["judged"]
    assert measured(go(Pipeline(), judge=judge)) == measured(record)
    assert len(calls) == 8
    assert go(Pipeline()).judge is None


# The corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, article in list(ARTICLES.items())[:3]:
        (folder / f"{name}.md").write_text(f"---\ntitle: {article.title}\n---\n{article.text}")
    return folder


def test_a_corpus_is_indexed_once_apart_from_the_users_own(
    corpus: Path, settings: Settings, shared_embedder: Embedder, check_whole: Callable[[Path], None]
) -> None:
    steps: list[str] = []
    home = indexed(corpus, settings, lambda step, done, total: steps.append(step))
    assert set(steps) == {"indexing"}
    with Index.open(dataclasses.replace(settings, home=home)) as index:
        assert {row.id for row in index.articles()} == set(list(ARTICLES)[:3])
        assert index.search("How much did the iron bridge cost?")[0].article.id == "bridge"
    check_whole(dataclasses.replace(settings, home=home).ledger_path)
    steps.clear()
    assert indexed(corpus, settings, lambda step, done, total: steps.append(step)) == home
    assert steps == []
    assert not settings.home.exists()
    assert {path.name for path in home.parent.iterdir()} <= {home.name, f"{home.name}.lock"}
    moved = corpus.with_name("moved")
    shutil.copytree(corpus, moved)
    assert indexed(moved, settings) == home, "the same articles elsewhere"
    (corpus / "bridge.md").write_text("Another text.")
    assert indexed(corpus, settings) != home


def test_what_a_killed_indexing_left_is_cleared_away(
    corpus: Path, settings: Settings, shared_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    home = indexed(corpus, settings)
    making = home.with_name(f"{home.name}.making")
    home.rename(making)  # as a kill before the last step leaves it
    (making / "ledger.sqlite3").write_bytes(b"half")
    add = Index.add
    monkeypatch.setattr(Index, "add", stop)
    with pytest.raises(KeyboardInterrupt):
        indexed(corpus, settings)
    monkeypatch.setattr(Index, "add", add)
    assert not home.exists()
    assert not making.exists()
    making.mkdir()
    (making / "ledger.sqlite3").write_bytes(b"half")
    assert indexed(corpus, settings) == home
    assert not making.exists()
    with Index.open(dataclasses.replace(settings, home=home)) as index:
        assert len(index.articles()) == 3


def test_a_corpus_that_can_not_be_read_whole_is_refused(
    corpus: Path, settings: Settings, shared_embedder: Embedder
) -> None:
    (corpus / "broken.md").write_bytes(b"\xff\xfeb")
    with pytest.raises(ReadError, match=r"broken\.md"):
        indexed(corpus, settings)
    assert not [path for path in (settings.cache / "evals" / "corpora").iterdir() if path.is_dir()]
    with pytest.raises(ReadError, match="nowhere"):
        indexed(corpus / "nowhere", settings)


def test_an_article_that_vanishes_while_the_corpus_is_looked_at_is_named(
    corpus: Path, settings: Settings, shared_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.run.find_files", lambda paths: [corpus / "gone.md"])
    with pytest.raises(ReadError, match=r"gone\.md can't be read"):
        indexed(corpus, settings)


# What determines an answer


def test_one_word_of_one_prompt_is_told_apart(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = determinants(settings, "f", ARTICLES)
    folder = tmp_path / "prompts"
    shutil.copytree(prompts._FOLDER, folder)
    monkeypatch.setattr(prompts, "_FOLDER", folder)
    assert determinants(settings, "f", ARTICLES) == before
    text = (folder / "answer.md").read_text()
    (folder / "answer.md").write_text(text.replace(" the ", " a ", 1))
    after = determinants(settings, "f", ARTICLES)
    assert set(before["prompts"]) == {"agree", "answer", "check", "condense", "read", "standalone"}
    assert [name for name in before if before[name] != after[name]] == ["prompts"]
    assert [name for name in before["prompts"] if before["prompts"][name] != after["prompts"][name]] == ["answer"]


def test_settings_model_corpus_and_embedder_determine_an_answer_and_the_key_is_not_told(
    settings: Settings, tmp_path: Path
) -> None:
    before = determinants(settings, "f", ARTICLES)
    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF1")
    others = [
        determinants(dataclasses.replace(settings, evidence_tokens=481), "f", ARTICLES),
        determinants(dataclasses.replace(settings, model=str(model)), "f", ARTICLES),
        determinants(settings, "g", ARTICLES),
        determinants(settings, "f", {"bridge": ARTICLES["bridge"]}),
    ]
    model.write_bytes(b"GGUF2")
    others.append(determinants(dataclasses.replace(settings, model=str(model)), "f", ARTICLES))
    assert len({json.dumps(each, sort_keys=True) for each in [before, *others]}) == 6
    secret = dataclasses.replace(settings, endpoint="http://gpu/v1", api_key="secret", model="big")
    told = determinants(secret, "f", ARTICLES)
    assert "secret" not in json.dumps(told)
    assert told["models"] == {"llm": "big", "llm_digest": "", "embedder": "f"}
    assert before["models"]["llm_digest"].startswith("cc324af0")
    assert str(settings.home) not in json.dumps(before)


def test_the_reader_s_adapter_determines_an_answer_and_no_other_model_s(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [dataclasses.replace(settings, model=name) for name in (BUNDLED_MODEL, PLAIN_MODEL)]
    before = [determinants(each, "f", ARTICLES)["models"]["llm_digest"] for each in models]
    monkeypatch.setattr("rag.models.adapter.digest", lambda: "another")
    after = [determinants(each, "f", ARTICLES)["models"]["llm_digest"] for each in models]
    assert before[0] != after[0]
    assert before[1] == after[1]
    assert len({*before, *after}) == 3


@pytest.mark.loopback
def test_the_assistant_is_asked_as_people_ask_it(
    corpus: Path, shared_embedder: Embedder, endpoint: Any, tmp_path: Path
) -> None:
    from index.settings import load_settings

    endpoint.pieces = ["The iron bridge of Elmford cost 14 million euros [1]."]
    # What is said of the bridge, and is true, answers nothing about the ferry.
    endpoint.judge = lambda asked: "yes" if "iron bridge" in asked.rpartition("Question: ")[2].splitlines()[0] else "no"
    gold = tmp_path / "gold.jsonl"
    questions: list[GoldQuestion] = [q for q in QUESTIONS if q.id in ("known-bridge", "known-ferry")]
    gold.write_text(
        "".join(
            json.dumps(to_row(q) | {"gold": []} | {"gold_articles": [q.gold_articles[0]]}) + "\n" for q in questions
        )
    )
    record = run(gold, corpus, load_settings())
    assert [item.failure for item in record.items] == [None, "declining"]
    assert record.items[0].hits[0]["article"] == "bridge"
    assert record.items[0].scores["citation_exact"] == 1.0
    assert record.corpus["articles"] == 3
    assert "secret-key" not in json.dumps(record.to_json())
    asked = len(endpoint.requests)
    assert measured(run(gold, corpus, load_settings())) == measured(record)
    assert len(endpoint.requests) == asked


def test_an_assistant_loads_no_model_before_there_is_something_to_ask(settings: Settings, tmp_path: Path) -> None:
    with AssistantAsker(dataclasses.replace(settings, home=tmp_path / "h")) as asker:
        assert asker.articles == {}
        assert asker._assistant.llm._server is None


def test_a_record_holds_no_password_of_an_endpoint(settings: Settings) -> None:
    configured = dataclasses.replace(settings, endpoint="http://ada:secret@gpu:8000/v1", api_key="key")
    shown = plain_settings(configured)
    assert shown["endpoint"] == "http://gpu:8000/v1"
    assert "key" not in shown.values()
    assert plain_settings(dataclasses.replace(settings, endpoint="http://gpu/v1@2"))["endpoint"] == "http://gpu/v1@2"
