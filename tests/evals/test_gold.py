from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evals.cli import SEEDS_CORPUS, SEEDS_GOLD
from evals.gold import (
    KEYS,
    BrokenRow,
    GoldQuestion,
    GoldSentence,
    Kind,
    from_row,
    read_gold,
    row_line,
    to_row,
    write_gold,
)
from evals.metrics import contains
from index.article import Article
from index.errors import GoldError
from index.reading import find_files, read_file
from index.sentences import split_sentences
from rag.types import Turn

ARTICLES = {
    "a": Article("a", "T", "The port opened in 2007. It burned."),
    "b": Article("b", "T", "It rained. It burned. It rained."),
}
GOOD = {
    "id": "1",
    "kind": "fact",
    "question": "When?",
    "answerable": True,
    "answers": ["2007"],
    "gold": [{"article": "a", "quote": "It burned."}],
}
EVERYTHING = GoldQuestion(
    id="x",
    kind=Kind.FOLLOW_UP,
    question="And then?",
    history=(Turn("user", "Q"), Turn("assistant", "A\nB")),
    asked="2025-07-27",
    answerable=True,
    answers=("2007", "“two thousand seven”"),
    must=(("x", "y"), ("z",)),
    gold=(GoldSentence("b", 22, 32, "It rained."),),
    tags=("t",),
    gold_articles=("b", "a"),
    reference="In 2007\u2028it was.",
    standalone="And what came after 2007?",
)


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
    found = read_gold(SEEDS_GOLD, articles)
    assert found.broken == ()
    assert len(found.questions) >= 84
    kinds = Counter(question.kind for question in found.questions)
    assert set(kinds) == set(Kind)
    assert max(kinds.values()) <= len(found.questions) / 3, "the kinds are out of balance"
    assert {question.id for question in found.questions} >= {f"seeds-{n:03d}" for n in range(1, 57)}
    sentences = {a.id: {(s.start, s.end) for s in split_sentences(a.text)} for a in articles.values()}
    for question in found.questions:
        for gold in question.gold:
            assert (gold.start, gold.end) in sentences[gold.article], f"{question.id}: {gold} is no whole sentence"
        assert question.answerable is (
            question.kind not in (Kind.UNANSWERABLE, Kind.FALSE_PREMISE, Kind.UNDERSPECIFIED)
        ), question.id
        if question.kind in (Kind.FALSE_PREMISE, Kind.UNDERSPECIFIED):
            assert question.answers or question.must, f"{question.id} has no right reply"
        if question.kind is Kind.FOLLOW_UP:
            assert question.history and question.standalone, f"{question.id} follows nothing"
        assert len({text.lower() for text in question.answers}) == len(question.answers), question.id
    assert len({question.question for question in found.questions}) == len(found.questions)


def test_the_projects_own_gold_sentences_carry_its_answers() -> None:
    for question in read_gold(SEEDS_GOLD, seeds()).questions:
        if not question.answerable:
            continue
        assert question.gold, f"{question.id} rests on nothing"
        told = " ".join(sentence.quote for sentence in question.gold)
        # What is missing of a partial answer is in no sentence.
        groups = question.must[:1] if question.kind is Kind.PARTIAL else question.must
        for group in (*groups, question.answers or [told]):
            assert any(contains(told, text) for text in group), f"{question.id}: no gold sentence holds {group}"


def test_the_projects_own_gold_is_written_as_we_write_it() -> None:
    found = read_gold(SEEDS_GOLD, seeds())
    assert "".join(row_line(to_row(question)) for question in found.questions) == SEEDS_GOLD.read_text("utf-8")


def test_a_row_becomes_a_question_with_places_in_the_text(folder: Path) -> None:
    history = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    row = GOOD | {"history": history, "asked": "2025-07-27", "must": [["x", "y"]], "tags": ["t"]}
    (question,) = read_gold(gold_file(folder, row), ARTICLES).questions
    assert question.kind is Kind.FACT
    assert question.history == (Turn("user", "Q"), Turn("assistant", "A"))
    assert (question.asked, question.must, question.tags) == ("2025-07-27", (("x", "y"),), ("t",))
    assert question.gold == (GoldSentence("a", 25, 35, "It burned."),)
    assert (question.reference, question.standalone) == ("", "")


@pytest.mark.parametrize(
    ("fields", "articles"),
    [({}, ("a",)), ({"gold_articles": ["b", "a"]}, ("b", "a")), ({"gold": [], "gold_articles": ["b"]}, ("b",))],
)
def test_gold_articles_are_those_of_the_gold_sentences_unless_they_are_named(
    fields: dict[str, Any], articles: tuple[str, ...]
) -> None:
    assert from_row(GOOD | fields, ARTICLES).gold_articles == articles


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{", "not JSON"),
        ('{"id": ' + "[" * 100_000, "nested"),
        ('{"id": ' + "9" * 5_000 + "}", "digits"),
        ("[]", "a row needs"),
        ("7", "a row needs"),
        ({"id": "2"}, "a row needs"),
        (GOOD | {"id": 2}, "`id` holds 2"),
        (GOOD | {"id": " "}, "`id` holds an empty text"),
        (GOOD | {"id": "2", "kind": "guess"}, "'guess'; known are attribution, contrast"),
        (GOOD | {"id": "2", "kind": ["fact"]}, "`kind`"),
        (GOOD | {"id": "2", "question": None}, "`question`"),
        (GOOD | {"id": "2", "answerable": "true"}, "`answerable` is 'true'"),
        (GOOD | {"id": "2", "answerable": 1}, "`answerable` is 1"),
        (GOOD | {"id": "2", "extra": 1}, "unknown keys ['extra']"),
        (GOOD | {"id": "2", "answers": []}, "an answerable question needs `answers`"),
        (GOOD | {"id": "2", "answers": "2007"}, "`answers` is not a list"),
        (GOOD | {"id": "2", "answers": [2007]}, "`answers` holds 2007"),
        (GOOD | {"id": "2", "answers": [""]}, "`answers` holds an empty text"),
        ('{"id": "2", "kind": "fact", "question": "\\ud800?", "answerable": true, "answers": ["x"]}', "surrogate"),
        (GOOD | {"id": "2", "must": ["2007"]}, "`must` is a list of groups"),
        (GOOD | {"id": "2", "must": [[]]}, "`must` is a list of groups"),
        (GOOD | {"id": "2", "asked": "27 July"}, "`asked` is '27 July'"),
        (GOOD | {"id": "2", "reference": ["x"]}, "`reference`"),
        (GOOD | {"id": "2", "standalone": 3}, "`standalone` holds 3"),
        (GOOD | {"id": "2", "tags": [None]}, "`tags` holds None"),
        (GOOD | {"id": "2", "reviewed": "no"}, "`reviewed` is 'no'"),
        (GOOD | {"id": "2", "reviewed": False}, "not reviewed yet"),
        (GOOD | {"id": "1"}, "repeats the id '1' of line 1"),
        (GOOD | {"id": "2", "gold": [{"article": "z", "quote": "x"}]}, "no article 'z'"),
        (GOOD | {"id": "2", "gold": [{"article": ["a"], "quote": "x"}]}, "`article` holds ['a']"),
        (GOOD | {"id": "2", "gold_articles": ["a", "z"]}, "no article 'z'"),
        (GOOD | {"id": "2", "gold_articles": ["b"]}, "`gold_articles` leaves out 'a'"),
        (
            GOOD | {"id": "2", "gold": [{"article": "a", "quote": "It sank."}]},
            "does not hold the gold quotation 'It sank.'",
        ),
        (GOOD | {"id": "2", "gold": [{"article": "a"}]}, "an `article` and a `quote`"),
        (GOOD | {"id": "2", "gold": ["It burned."]}, "an `article` and a `quote`"),
        (GOOD | {"id": "2", "gold": [{"article": "a", "quote": ""}]}, "`quote` holds an empty text"),
        (GOOD | {"id": "2", "gold": [{"article": "a", "quote": "It burned.", "at": 1}]}, "unknown keys ['at']"),
        (
            GOOD | {"id": "2", "gold": [{"article": "a", "quote": "It burned.", "start": 24}]},
            "at 25, not at `start` 24",
        ),
        (GOOD | {"id": "2", "gold": [{"article": "a", "quote": "It burned.", "start": -10}]}, "not at `start` -10"),
        (GOOD | {"id": "2", "gold": [{"article": "a", "quote": "It burned.", "start": "25"}]}, "not at `start` '25'"),
        (GOOD | {"id": "2", "gold": [{"article": "a", "quote": "It burned.", "start": 25, "end": 34}]}, "ends at 35"),
        (GOOD | {"id": "2", "gold": [{"article": "b", "quote": "It rained."}]}, "more than once; say which by `start`"),
        (GOOD | {"id": "2", "history": [{"role": "user"}]}, "`content` holds None"),
        (GOOD | {"id": "2", "history": [{"role": "system", "content": "x"}]}, "`history` needs a `role`"),
        (GOOD | {"id": "2", "history": [{"role": "user", "content": "x", "name": "y"}]}, "unknown keys ['name']"),
        (GOOD | {"id": "2", "kind": "unanswerable"}, "of the kind unanswerable and `answerable`"),
        (GOOD | {"id": "2", "answerable": False}, "is not answerable and has answers"),
        (GOOD | {"id": "2", "kind": "unanswerable", "answerable": False}, "is not answerable and has answers"),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_its_fault_and_nothing_else_is_lost(
    folder: Path, row: Any, told: str
) -> None:
    found = read_gold(gold_file(folder, GOOD, row, GOOD | {"id": "3"}), ARTICLES)
    assert [question.id for question in found.questions] == ["1", "3"]
    assert [broken.line for broken in found.broken] == [2]
    assert told in found.broken[0].problem


def test_a_line_that_is_not_utf8_spoils_no_other(folder: Path) -> None:
    path = folder / "gold.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b'\n{"id": "\xff"}\r\n\n' + row_line(GOOD | {"id": "4"}).encode()
    )
    found = read_gold(path, ARTICLES)
    assert [question.id for question in found.questions] == ["1", "4"]
    assert found.broken == (BrokenRow(2, "is not UTF-8 (byte 9 of the line)"),)


def test_an_id_is_taken_only_by_a_row_that_can_be_used(folder: Path) -> None:
    found = read_gold(gold_file(folder, GOOD | {"answers": []}, GOOD), ARTICLES)
    assert [question.id for question in found.questions] == ["1"]
    assert [broken.line for broken in found.broken] == [1]


@pytest.mark.parametrize(
    "fields",
    [
        {"answers": [], "reference": "In 2007."},
        {"answers": [], "must": [["2007"]]},
        {"answers": [], "gold": [], "gold_articles": ["a"]},
        {"answers": [], "gold_articles": ["a"]},
        {"kind": "false-premise", "answerable": False},
        {"kind": "underspecified", "answerable": False},
        {"kind": "unanswerable", "answerable": False, "answers": None, "gold": None},
        {"reviewed": True},
    ],
)
def test_what_a_question_may_do_without(fields: dict[str, Any]) -> None:
    question = from_row(GOOD | fields, ARTICLES)
    assert from_row(to_row(question), ARTICLES) == question


def test_a_question_survives_being_written_and_read(folder: Path) -> None:
    questions = (EVERYTHING, from_row(GOOD, ARTICLES))
    write_gold(folder / "new.jsonl", questions)
    found = read_gold(folder / "new.jsonl", ARTICLES)
    assert found.questions == questions
    assert found.broken == ()
    assert set(to_row(EVERYTHING)) == KEYS - {"reviewed"}


def test_a_file_is_written_whole_or_not_at_all(folder: Path) -> None:
    path = gold_file(folder, GOOD)
    before = path.read_text()

    def questions() -> Any:
        yield EVERYTHING
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_gold(path, questions())
    assert path.read_text() == before
    assert [each.name for each in folder.iterdir()] == ["gold.jsonl"]


def test_a_file_that_cannot_be_written_is_an_error(folder: Path) -> None:
    with pytest.raises(GoldError, match="nowhere"):
        write_gold(folder / "nowhere" / "gold.jsonl", [EVERYTHING])


def test_a_line_separator_inside_a_question_ends_no_row(folder: Path) -> None:
    (question,) = read_gold(gold_file(folder, GOOD | {"question": "When\u2028and where?"}), ARTICLES).questions
    assert question.question == "When\u2028and where?"


def test_a_file_without_a_good_row_tells_every_fault(folder: Path) -> None:
    with pytest.raises(GoldError) as caught:
        read_gold(gold_file(folder, "{", "", "[]"), ARTICLES)
    assert "None of the 2 rows" in str(caught.value)
    assert "line 1: is not JSON" in str(caught.value)
    assert "line 3: a row needs" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe{"])
def test_a_file_without_questions_is_an_error(folder: Path, content: bytes) -> None:
    (folder / "gold.jsonl").write_bytes(content)
    with pytest.raises(GoldError, match=r"gold\.jsonl"):
        read_gold(folder / "gold.jsonl", ARTICLES)


@pytest.mark.parametrize("name", ["nowhere.jsonl", "."])
def test_what_is_no_file_is_an_error(folder: Path, name: str) -> None:
    with pytest.raises(GoldError, match="can't be read"):
        read_gold(folder / name, ARTICLES)


def test_the_documented_examples_and_keys_are_those_that_are_read() -> None:
    text = (Path(__file__).parents[2] / "docs" / "gold.md").read_text("utf-8")
    port = {"port": Article("port", "T", "The port opened in 2007. It burned.")}
    (block,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    questions = [from_row(json.loads(line), port) for line in block.splitlines()]
    assert len(questions) == 5
    documented = set(re.findall(r"^\| `(\w+)` \| (?:text|true|list|ISO)", text, re.MULTILINE))
    assert documented == KEYS
    assert {kind.value for kind in Kind} == set(
        re.findall(r"^\| `([\w-]+)` \| .* \| (?:either|false) \|$", text, re.MULTILINE)
    )
