"""The comparison of retrieval over a tiny set, with the real embedder, stores and retrievers of LlamaIndex."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals.benchmark_sets import Half
from evals.gold import GoldQuestion
from evals.llama_index_retrievers import peers
from evals.retrieval import METRICS, OURS, Ranking, Result, Row, System, default_sets, half_of, rank, run, to_json
from evals.retrieval_plot import to_svg
from index.article import Article
from index.embedding import Embedder
from index.errors import GoldError
from index.settings import Settings
from tests.evals.handmade import question
from ui import cli

TOPICS = {
    "gwadar": ("The harbour of Gwadar was opened in 2007.", "When did the harbour of Gwadar open?", "2007"),
    "quetta": ("The railway to Quetta was closed for nine weeks.", "How long was the railway closed?", "nine weeks"),
    "wheat": ("Farmers harvested more wheat than ever.", "What did the farmers harvest?", "wheat"),
    "chess": ("A girl of eleven won the chess tournament.", "Who won at chess?", "a girl of eleven"),
}
NAMES = [
    "dateline", "dense", "lexical", "no-article-words", "no-time", "no-second-round", "llamaindex-dense",
    "llamaindex-fusion", "llamaindex-dense-small", "llamaindex-fusion-small",
]  # fmt: skip


def ids_of(half: Half, n: int) -> list[str]:
    """Ids of questions that belong to a half of any set but the news."""
    return [name for name in (f"q{k}" for k in range(100)) if half_of("clapnq", name) is half][:n]


def write_set(folder: Path) -> None:
    """A set of four articles; its reporting half has four answerable questions, the other one."""
    folder.mkdir(parents=True)
    articles = [{"id": name, "title": name.title(), "text": text} for name, (text, _, _) in TOPICS.items()]
    rows = [
        {"id": id_, "question": asked, "answers": [answer], "answerable": True, "gold_articles": [name]}
        for id_, (name, (_, asked, answer)) in zip(ids_of(Half.REPORT, 4), TOPICS.items(), strict=True)
    ]
    rows.append({**rows[0], "id": ids_of(Half.TUNE, 1)[0]})
    rows.append({"id": ids_of(Half.REPORT, 5)[4], "question": "Why?", "answers": [], "answerable": False})
    for name, lines in (("articles", articles), ("questions", rows)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the sets, with one of them."""
    folder = tmp_path / "benchmarks"
    write_set(folder / "clapnq")
    monkeypatch.setenv("DATELINE_BENCHMARKS", str(folder))
    return folder


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Result:
    """One run, for all tests that only look at it."""
    folder = tmp_path_factory.mktemp("retrieval")
    write_set(folder / "clapnq")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATELINE_BENCHMARKS", str(folder))
        patch.setattr("index.search.Embedder", lambda name: embedder)
        (found,) = run(["clapnq"], Settings(home=folder / "home", cache=folder / "cache"))
    return found


def test_every_system_is_asked_every_answerable_question_of_the_half(result: Result) -> None:
    assert sorted(q.id for q in result.questions) == sorted(ids_of(Half.REPORT, 4))
    assert [row.name for row in result.rows] == NAMES
    assert (result.name, result.half, result.articles) == ("clapnq", Half.REPORT, 4)
    for row in result.rows:
        assert [sorted(ranking.articles) for ranking in row.rankings] == [sorted(TOPICS)] * 4
        assert [ranking.articles[0] for ranking in row.rankings] == [q.gold_articles[0] for q in result.questions]
        assert row.figure("mrr@10").value == 1.0
        assert 0 < row.latency()[0] <= row.latency()[1]


def test_the_evidence_is_measured_with_tokens_and_what_it_holds(result: Result) -> None:
    assert result.evidence_values("answer_in_evidence") == [1.0] * 4
    assert result.evidence_values("evidence_recall") == []  # the set has no gold sentences
    # All four sentences fit: 10 + 9 + 7 + 9 tokens of o200k, give or take a name.
    assert all(25 <= tokens <= 60 for tokens in result.evidence_values("evidence_tokens"))


def test_the_json_holds_figures_differences_and_every_ranking(result: Result, settings: Settings) -> None:
    told = json.loads(json.dumps(to_json([result], settings), allow_nan=False))
    (of_set,) = told["sets"]
    ours, *others = of_set["systems"]
    assert ours["figures"]["hit@1"] == {"value": 1.0, "n": 4, "low": 1.0, "high": 1.0}
    assert ours["against_dateline"] == {}
    assert {tuple(each["against_dateline"]) for each in others} == {tuple(METRICS)}
    assert others[0]["against_dateline"]["hit@1"] == {"value": 0.0, "low": 0.0, "high": 0.0, "p": 1.0, "adjusted": 1.0}
    assert list(of_set["items"][0]["systems"]) == NAMES
    assert told["versions"]["bm25s"]
    assert "api_key" not in told["settings"]


def test_a_sample_of_one_has_figures_without_intervals(
    sets: Path, settings: Settings, shared_embedder: Embedder
) -> None:
    (found,) = run(["clapnq"], settings, sample=1)
    assert math.isnan(found.rows[0].figure("hit@1").low)
    json.dumps(to_json([found], settings), allow_nan=False)
    ET.fromstring(to_svg([found]))


def made(scores: dict[str, Sequence[float]]) -> Result:
    """A result of these values, the same for every metric, by system."""
    n = len(next(iter(scores.values())))
    questions = tuple(question(id=str(i), gold_articles=("g",)) for i in range(n))
    rows = tuple(
        Row(name, name, tuple(Ranking(("g",), float(i)) for i in range(n)), {m: tuple(values) for m in METRICS})
        for name, values in scores.items()
    )
    return Result("clapnq", Half.REPORT, 1, questions, rows, ({},) * n)


def test_differences_are_paired_and_of_a_row_less_datelines() -> None:
    found = made({OURS: [1.0] * 8, "worse": [0.0] * 8, "same": [1.0] * 8}).differences("hit@1")
    # All eight differ by the same: no resample has another mean, and 2 of 2⁸ ways to set the signs are as extreme.
    assert found["worse"] == dataclasses.replace(
        found["worse"], value=-1.0, low=-1.0, high=-1.0, p=2 / 2**8, adjusted=2 / 2**8
    )
    assert (found["same"].value, found["same"].p) == (0.0, 1.0)


def test_two_rows_that_differ_are_corrected_for_being_two() -> None:
    found = made({OURS: [1.0] * 8, "one": [0.0] * 8, "two": [0.0] * 8}).differences("hit@1")
    assert [each.adjusted for each in found.values()] == [4 / 2**8] * 2


def test_latency_is_the_median_and_the_95th_percentile() -> None:
    assert made({OURS: [1.0] * 21}).rows[0].latency() == (10.0, 19.0)  # of 0, 1, … 20 ms


def system(passages: Sequence[str]) -> tuple[System, list[int]]:
    """One that finds these passages, and the limits that it was asked with."""
    limits: list[int] = []

    def find(_: GoldQuestion, limit: int) -> Sequence[str]:
        limits.append(limit)
        return passages[:limit]

    return System("s", "s", find), limits


def test_a_ranking_asks_deeper_until_it_has_ten_articles() -> None:
    many_of_one, limits = system(["a"] * 30 + ["b"] + [f"c{n}" for n in range(20)])
    assert rank(many_of_one, question()).articles == ("a", "b", *(f"c{n}" for n in range(8)))
    assert limits == [10, 40]


def test_a_ranking_ends_where_the_corpus_does() -> None:
    few, limits = system(["a", "b", "a"])
    assert rank(few, question()).articles == ("a", "b")
    assert limits == [10]


def test_an_even_sha256_of_the_id_is_for_tuning_and_the_news_are_whole() -> None:
    for name in ("q1", "q2", "q3", "q4"):
        even = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 == 0
        assert half_of("xquad", name) is (Half.TUNE if even else Half.REPORT)
        assert (half_of("news-2025", name), half_of("news-2024", name)) == (Half.REPORT, Half.TUNE)
    assert default_sets(Half.REPORT) == ("news-2025", "clapnq", "xquad", "2wiki")
    assert default_sets(Half.TUNE) == ("news-2024", "clapnq", "xquad", "2wiki")


class Counting:
    """An embedder of random vectors that counts what it is asked."""

    name = "random"
    fingerprint = "random-1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def query(self, text: str) -> Any:
        self.asked.append(text)
        vector = np.random.default_rng(len(text)).normal(size=8).astype(np.float32)
        return vector / np.linalg.norm(vector)


def passages_of(embedder: Counting, cache: Path, articles: Sequence[Article]) -> list[list[str]]:
    found = peers(articles, embedder, cache, lambda step, done, total: None)
    return [peer.passages("Who won at chess?", 3) for peer in found]


def test_what_llama_index_embeds_is_kept_and_not_embedded_again(tmp_path: Path) -> None:
    articles = [Article(name, name.title(), text) for name, (text, _, _) in TOPICS.items()]
    first, again = Counting(), Counting()
    found = passages_of(first, tmp_path / "peers", articles)
    assert passages_of(again, tmp_path / "peers", articles) == found
    assert len(first.asked) == 4 + 4  # the texts, the same in both sizes of chunk, and a question of each retriever
    assert again.asked == ["Who won at chess?"] * 4
    changed = Counting()
    passages_of(changed, tmp_path / "peers", [*articles[:3], Article("chess", "Chess", "Nobody won.")])
    assert len(changed.asked) == 4 + 4


def test_bm25_finds_by_stems_and_gives_what_llama_index_fuses(tmp_path: Path) -> None:
    articles = [Article(name, name.title(), text) for name, (text, _, _) in TOPICS.items()]
    by_name = {peer.name: peer for peer in peers(articles, Counting(), tmp_path, lambda step, done, total: None)}
    for name, (_, asked, _) in TOPICS.items():
        assert name in by_name["llamaindex-fusion"].passages(asked, 2)
    assert by_name["llamaindex-fusion"].passages("?", 4)  # no word at all


# The command


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dateline", "eval", "retrieval", *map(str, arguments)])
        capsys.readouterr()
        code: Any = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return command


def test_the_command_prints_tables_and_writes_json_and_a_plot(
    sets: Path, shared_embedder: Embedder, command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, out, _ = command("clapnq", "--out", tmp_path / "found.json", "--plot", tmp_path / "found.svg")
    assert code == 0
    assert out.startswith("clapnq: 4 questions (the half to report on), 4 articles\n")
    assert "LlamaIndex: vectors + BM25, 1,024-token chunks" in out
    assert "a gold answer inside the evidence: 1.00 (1.00–1.00), n = 4" in out
    assert json.loads((tmp_path / "found.json").read_text())["schema"] == "dateline-retrieval/1"
    drawing = ET.parse(tmp_path / "found.svg").getroot()
    marks = [g for g in drawing.iter("{http://www.w3.org/2000/svg}circle") if g.get("cy") != "14"]
    assert len(marks) == 2 * len(NAMES)


def test_without_the_folder_of_the_sets_the_command_says_what_to_do(command: Callable[..., Any]) -> None:
    code, _, err = command("clapnq")
    assert code == 1
    assert "DATELINE_BENCHMARKS is not set" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["xquad"], "has no articles.jsonl and no questions.jsonl"),
        (["news-2024"], "has no questions of the half 'report'; try news-2025, clapnq, xquad, 2wiki"),
    ],
)
def test_a_set_that_is_not_there_or_not_of_this_half_is_named(
    sets: Path, settings: Settings, arguments: list[str], said: str
) -> None:
    (sets / "news-2024").symlink_to(sets / "clapnq")
    with pytest.raises(GoldError, match=said):
        run(arguments, settings)


def test_a_broken_row_of_a_set_is_named_before_anything_is_indexed(sets: Path, settings: Settings) -> None:
    with (sets / "clapnq" / "questions.jsonl").open("a") as file:
        file.write('{"id": "x", "question": "Who?", "answerable": true, "gold_articles": ["nowhere"]}\n')
    with pytest.raises(GoldError, match=r"Line 7 of .*questions.jsonl there is no article 'nowhere'"):
        run(["clapnq"], settings)
    assert not settings.cache.exists()


def test_a_plot_that_is_no_svg_is_wrong_usage(command: Callable[..., Any]) -> None:
    assert command("clapnq", "--plot", "found.png")[0] == 2


def test_without_peers_only_dateline_and_its_parts_are_asked(
    sets: Path, settings: Settings, shared_embedder: Embedder
) -> None:
    (found,) = run(["clapnq"], settings, sample=1, peers=False)
    assert found.rows[0].name == OURS
    assert not any(row.name.startswith("llama") for row in found.rows)
    assert len(found.rows) == 6
