from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evals.cli import SEEDS_CORPUS, SEEDS_GOLD
from evals.gold import Kind, read_gold
from index.article import Article
from index.errors import GoldError
from index.reading import find_files, read_file
from rag.answer import Turn

ARTICLES = {"a": Article("a", "T", "The port opened in 2007. It burned.")}
GOOD = {
    "id": "1",
    "kind": "fact",
    "question": "When?",
    "answerable": True,
    "answers": ["2007"],
    "gold": [{"article": "a", "quote": "It burned."}],
}


def gold_file(folder: Path, *rows: Any) -> Path:
    path = folder / "gold.jsonl"
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)
    )
    return path


def seeds() -> dict[str, Article]:
    read = [article for file in find_files([SEEDS_CORPUS]) for article in read_file(file)]  # type: ignore[arg-type]
    assert all(isinstance(each, Article) for each in read), read
    return {article.id: article for article in read if isinstance(article, Article)}


def test_the_projects_own_gold_holds_for_its_own_articles() -> None:
    articles = seeds()
    questions = read_gold(SEEDS_GOLD, articles)
    assert len(questions) >= 40
    kinds = Counter(question.kind for question in questions)
    assert set(kinds) == set(Kind)
    for question in questions:
        for sentence in question.gold:
            assert articles[sentence.article].text[sentence.start : sentence.end] == sentence.quote
            assert articles[sentence.article].text.count(sentence.quote) == 1, f"{question.id}: which of them?"
        assert question.answerable is (question.kind not in (Kind.UNANSWERABLE, Kind.FALSE_PREMISE)) or question.must
        if question.answerable:
            assert question.gold, f"{question.id} rests on nothing"
        if question.kind is Kind.FOLLOW_UP:
            assert question.history, f"{question.id} follows nothing"


def test_a_row_becomes_a_question_with_places_in_the_text(folder: Path) -> None:
    history = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    row = GOOD | {"history": history, "asked": "2025-07-27", "must": [["x", "y"]], "tags": ["t"]}
    (question,) = read_gold(gold_file(folder, row), ARTICLES)
    assert question.kind is Kind.FACT
    assert question.history == (Turn("user", "Q"), Turn("assistant", "A"))
    assert (question.asked, question.must, question.tags) == ("2025-07-27", (("x", "y"),), ("t",))
    (sentence,) = question.gold
    assert ARTICLES["a"].text[sentence.start : sentence.end] == sentence.quote == "It burned."


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{", "line 2"),
        ("[]", "a row needs"),
        ("7", "a row needs"),
        ({"id": "2"}, "a row needs"),
        (GOOD | {"id": "2", "kind": "guess"}, "guess"),
        (GOOD | {"id": "2", "extra": 1}, "extra"),
        (GOOD | {"id": "2", "answers": []}, "answers"),
        (GOOD | {"id": "1"}, "repeats"),
        (GOOD | {"id": "2", "gold": [{"article": "z", "quote": "x"}]}, "'z'"),
        (GOOD | {"id": "2", "gold": [{"article": "a", "quote": "It sank."}]}, "It sank."),
        (GOOD | {"id": "2", "gold": [{"article": "a"}]}, "line 2"),
        (GOOD | {"id": "2", "gold": ["It burned."]}, "line 2"),
        (GOOD | {"id": "2", "gold": [{"article": "a", "quote": ""}]}, "line 2"),
        (GOOD | {"id": "2", "history": [{"role": "user"}]}, "line 2"),
        (GOOD | {"id": "2", "answers": "2007"}, "line 2"),
        (GOOD | {"id": "2", "must": ["2007"]}, "line 2"),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_its_fault(folder: Path, row: Any, told: str) -> None:
    path = gold_file(folder, GOOD, row)
    with pytest.raises(GoldError) as caught:
        read_gold(path, ARTICLES)
    assert "line 2" in str(caught.value)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_all_bad_rows_are_named_at_once(folder: Path) -> None:
    with pytest.raises(GoldError) as caught:
        read_gold(gold_file(folder, "{", GOOD, "", "[]"), ARTICLES)
    assert "2 bad rows" in str(caught.value)
    assert "line 1" in str(caught.value)
    assert "line 4" in str(caught.value)


def test_a_line_separator_inside_a_question_ends_no_row(folder: Path) -> None:
    (question,) = read_gold(gold_file(folder, GOOD | {"question": "When\u2028and where?"}), ARTICLES)
    assert question.question == "When\u2028and where?"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe{"])
def test_a_file_without_questions_is_an_error(folder: Path, content: bytes) -> None:
    (folder / "gold.jsonl").write_bytes(content)
    with pytest.raises(GoldError, match=r"gold\.jsonl"):
        read_gold(folder / "gold.jsonl", ARTICLES)


def test_a_missing_file_is_an_error(folder: Path) -> None:
    with pytest.raises(GoldError, match="nowhere"):
        read_gold(folder / "nowhere.jsonl", ARTICLES)
