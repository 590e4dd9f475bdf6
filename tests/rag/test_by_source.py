from __future__ import annotations

import json

import pytest

from index.article import Article
from rag.by_source import MOST_ARTICLES, BySource, Draft, Group, groups, positions
from rag.cite import cite
from rag.evidence import reading
from rag.export import markdown
from rag.types import AnswerSentence, Disagreement, Models, Support, Value
from tests.rag.making import article, count, ranked

COST = "How much did the repair of the bridge cost?"
GAZETTE = article(
    "g", "The bridge reopened.", "The repairs cost 14 million.", source="Gazette column", published="2021-03-02"
)
WEEKLY = article("w", "The repairs cost 17 million.", source="Weekly", published="2021-03-09")
NEWS = article("n", "The harbour has a new ferry.", source="News", published="2020-01-01")


def draft(of: Article, *said: tuple[str, int], best: int = 0) -> Draft:
    """A draft of an article whose best sentence is at a position, with (text, number of a sentence that was read)."""
    group = Group(ranked((of, best, 9.0)))
    read = reading(group.ranked, count, 400)
    cited = cite([(number,) for _, number in said], read)
    sentences = tuple(AnswerSentence(text, c, Support.SUPPORTED) for (text, _), c in zip(said, cited, strict=True))
    return Draft(group, read, sentences)


# Which articles are asked


def test_each_article_is_asked_with_its_own_sentences_the_best_article_first() -> None:
    found = groups(ranked((WEEKLY, 0, 9.0), (GAZETTE, 1, 8.0), (GAZETTE, 0, 7.0)))
    assert [(g.article.id, [each.sentence.sentence for each in g.ranked]) for g in found] == [("w", [0]), ("g", [1, 0])]
    assert all(not g.copies for g in found)


def test_articles_whose_best_sentence_is_the_same_word_for_word_count_once() -> None:
    copy = article("c", "Read on!", "The repairs cost 17 million.", source="Copy")
    corrected = article("x", "The repairs cost 18 million.", source="Later")
    found = groups(ranked((WEEKLY, 0, 9.0), (copy, 1, 8.0), (corrected, 0, 7.0)))
    assert [(g.article.source, [c.source for c in g.copies]) for g in found] == [("Weekly", ["Copy"]), ("Later", [])]


def test_at_most_six_articles_are_asked_and_copies_do_not_count() -> None:
    towns = [article(f"a{n}", f"The mayor wants {n} ferries.") for n in range(MOST_ARTICLES + 2)]
    copy = article("copy", "The mayor wants 0 ferries.")
    found = groups(ranked(*((town, 0, 9.0 - n / 10) for n, town in enumerate([towns[0], copy, *towns[1:]]))))
    assert [g.article.id for g in found] == [f"a{n}" for n in range(MOST_ARTICLES)]
    assert [c.id for c in found[0].copies] == ["copy"]


def test_of_nothing_nobody_is_asked() -> None:
    assert groups(()) == []
    assert positions(()) == ()


# What they say


def test_each_article_says_what_it_says_with_its_own_quotation_by_date() -> None:
    found = positions(
        [draft(WEEKLY, ("It came to 17 million.", 1)), draft(GAZETTE, ("It cost 14 million.", 2), best=1)]
    )
    assert [(p.article.id, p.text, p.silent, p.newest) for p in found] == [
        ("g", "It cost 14 million.", False, False),
        ("w", "It came to 17 million.", False, True),
    ]
    assert [c.quote for c in found[0].sentences[0].citations] == ["The repairs cost 14 million."]
    assert all(c.article == p.article.id for p in found for s in p.sentences for c in s.citations)


def test_an_article_that_does_not_say_is_silent_comes_last_and_is_still_quoted() -> None:
    found = positions([draft(NEWS), draft(GAZETTE, ("It cost 14 million.", 2), best=1)])
    assert [(p.article.id, p.silent, p.text) for p in found] == [("g", False, "It cost 14 million."), ("n", True, "")]
    assert found[1].quote.quote == "The harbour has a new ferry."


def test_one_without_a_date_comes_after_those_that_have_one_and_none_is_the_newest_alone() -> None:
    undated = article("u", "The repairs cost 16 million.")
    found = positions([draft(undated, ("16.", 1)), draft(WEEKLY, ("17.", 1)), draft(NEWS)])
    assert [(p.article.id, p.newest) for p in found] == [("w", True), ("u", False), ("n", False)]
    (alone,) = positions([draft(WEEKLY, ("17.", 1))])
    assert not alone.newest


def test_quotations_are_numbered_throughout_and_the_same_one_once() -> None:
    whole = BySource(
        COST,
        positions([draft(GAZETTE, ("Reopened.", 1), ("14 million.", 2), best=1), draft(WEEKLY, ("17.", 1))]),
        (),
        Models("m", "e"),
        "p",
    )
    gazette, weekly = whole.positions
    assert gazette.quote == gazette.sentences[1].citations[0]
    assert weekly.quote == weekly.sentences[0].citations[0]
    assert [c.number for c in whole.citations] == [1, 2, 3]
    assert {c.quote for c in whole.citations} == {
        "The bridge reopened.",
        "The repairs cost 14 million.",
        "The repairs cost 17 million.",
    }


@pytest.fixture
def whole() -> BySource:
    differ = Disagreement(
        (
            Value("The repairs cost 14 million.", "g", "T", "Gazette column", "2021-03-02", 2),
            Value("The repairs cost 17 million.", "w", "T", "Weekly", "2021-03-09", 3),
        )
    )
    said = [draft(WEEKLY, ("It came to 17 million.", 1)), draft(GAZETTE, ("It cost 14 million.", 2), best=1)]
    return BySource(COST, positions([*said, draft(NEWS)]), (differ,), Models("m", "e"), "p")


def test_the_result_goes_out_as_markdown(whole: BySource) -> None:
    text = markdown(whole)
    assert "- **Title of g · Gazette column · 2021-03-02** (opinion)\n  It cost 14 million.[^" in text
    assert "- **Title of w · Weekly · 2021-03-09** (newest)" in text
    assert "- **Title of n · News · 2020-01-01**\n  does not say. Its nearest sentence: “The harbour" in text
    assert "The articles differ: Gazette column" in text
    assert len(whole.citations) == 3
    for number in range(1, 4):
        assert text.count(f"\n[^{number}]: ") == 1


def test_the_result_goes_out_as_json(whole: BySource) -> None:
    row = json.loads(json.dumps(whole.to_json()))
    assert [(p["article"], p["opinion"], p["newest"], p["silent"]) for p in row["positions"]] == [
        ("g", True, False, False),
        ("w", False, True, False),
        ("n", False, False, True),
    ]
    assert row["positions"][1]["quote"]["quote"] == "The repairs cost 17 million."
    assert row["positions"][1]["sentences"][0]["citations"] == [row["positions"][1]["quote"]]
    assert [value["article"] for value in row["disagreements"][0]["values"]] == ["g", "w"]
    assert (row["question"], row["models"], row["prompt"]) == (COST, {"llm": "m", "embedder": "e"}, "p")
