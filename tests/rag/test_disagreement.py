from __future__ import annotations

import pytest

from index.article import Article
from index.times import is_newer
from rag.types import Disagreement, DisagreementKind, EvidenceSentence
from rag.disagreement import disagreements, in_words

COST = "How much did the repair of the harbour bridge cost?"


DATES = ("2021-03-02", "2021-03-09", "2021-03-16")


def sentences(*told: str, dates: tuple[str, ...] = DATES) -> list[EvidenceSentence]:
    """A sentence of an article each."""
    names = ("City Gazette", "Coast Weekly", "Harbour News")
    return [
        EvidenceSentence(
            n, Article(f"a{n}", "The harbour bridge", text, source=name, published=date), 0, 0, len(text), 1.0 / n
        )
        for n, (text, name, date) in enumerate(zip(told, names, dates, strict=False), start=1)
    ]


def between(question: str, *told: str) -> list[tuple[str, list[str]]]:
    found = disagreements(question, sentences(*told))
    return [(d.kind.value, [value.text for value in d.values]) for d in found]


def test_two_sums_for_one_thing_are_told_with_source_date_and_the_newer_one() -> None:
    (found,) = disagreements(
        COST,
        sentences(
            "The repairs cost 14 million euros, the port authority said.",
            "According to the builders' association, the bill for the repairs came to 17 million euros.",
        ),
    )
    assert (found.kind, found.update) == (DisagreementKind.NUMBER, False)
    assert [(v.article, v.number, v.newer) for v in found.values] == [("a1", 1, False), ("a2", 2, True)]
    assert in_words(found) == (
        "City Gazette (2021-03-02): 14 million euros; Coast Weekly (2021-03-09, newer): 17 million euros."
    )


@pytest.mark.parametrize(
    ("question", "one", "other", "kind", "values"),
    [
        (
            "When was the bridge closed?",
            "The bridge over the harbour was closed in June 2020.",
            "The bridge was closed in July 2020 after cracks were found.",
            "date",
            ["June 2020", "July 2020"],
        ),
        (
            "Who runs the ferry line?",
            "The Coast Shipping Company runs the new ferry line to Westmoor.",
            "The Valley Transport Board runs the new ferry line to Westmoor.",
            "name",
            ["Coast Shipping Company", "Valley Transport Board"],
        ),
        (
            "Did the county agree to the waterworks?",
            "The county agreed to the waterworks on Monday.",
            "The county did not agree to the waterworks.",
            "polarity",
            ["The county agreed to the waterworks on Monday.", "The county did not agree to the waterworks."],
        ),
        (
            "Is the county planning the waterworks?",
            "The county confirmed the plan for the waterworks.",
            "The county denied the plan for the waterworks.",
            "polarity",
            ["The county confirmed the plan for the waterworks.", "The county denied the plan for the waterworks."],
        ),
        (
            "How long was the bridge closed?",
            "The bridge was closed for nine months.",
            "The bridge was closed for seven months.",
            "number",
            ["nine months", "seven months"],
        ),
    ],
)
def test_each_kind_is_found(question: str, one: str, other: str, kind: str, values: list[str]) -> None:
    assert between(question, one, other) == [(kind, values)]


@pytest.mark.parametrize(
    ("question", "one", "other"),
    [
        (
            "How many workers repaired the bridge?",
            "About 40 workers repaired the bridge.",
            "The bridge was repaired by 38 workers.",
        ),
        (
            "How many workers repaired the bridge?",
            "More than 30 workers repaired the bridge.",
            "35 workers repaired the bridge.",
        ),
        (
            "How many workers repaired the bridge?",
            "Between 30 and 40 workers repaired the bridge.",
            "35 workers repaired the bridge.",
        ),
        (COST, "The repairs cost 14 million euros.", "The repairs cost 14.2 million euros."),
        (COST, "The repairs of the bridge cost 14 million euros.", "The lamps of the bridge cost 2 million euros."),
        (COST, "The repairs cost 14 million euros.", "The repairs cost 15 million dollars."),
        (COST, "The repairs in 2019 cost 14 million euros.", "The repairs in 2021 cost 17 million euros."),
        (COST, "The second repair cost 14 million euros.", "The third repair cost 17 million euros."),
        ("How many were hurt?", "The fire in Westmoor hurt 14 people.", "The fire in Elmford hurt 17 people."),
        (
            "How many were hurt in the fire?",
            "The fire hurt 14 people on Monday.",
            "The fire hurt 17 people on Tuesday.",
        ),
        ("When was the bridge closed?", "The bridge was closed in June 2020.", "The bridge was closed in 2020."),
        ("When was the bridge closed?", "The bridge was closed in June 2020.", "The bridge reopened in March 2021."),
        (
            "When was the harbour opened?",
            "The harbour opened in 2007.",
            "The new terminal of the harbour opened in 2019.",
        ),
        ("Who visited the bridge?", "Ada Holm visited the bridge on Monday.", "Jon Berg visited the bridge on Monday."),
        (
            "Who runs the ferry?",
            "Ada Holm runs the new ferry line to Westmoor.",
            "Holm runs the new ferry line to Westmoor.",
        ),
        (
            "Did the county agree?",
            "The county may agree to the waterworks.",
            "The county did not agree to the waterworks.",
        ),
        ("Who opened the bridge?", "The repairs cost 14 million euros.", "The repairs cost 17 million euros."),
    ],
)
def test_what_may_both_be_true_is_no_disagreement(question: str, one: str, other: str) -> None:
    assert between(question, one, other) == []


def test_a_count_that_grew_is_an_update() -> None:
    told = "The fire killed 14 people.", "At least 17 people died in the fire, officials said."
    (found,) = disagreements("How many people died in the fire?", sentences(*told))
    assert found.update
    (same_day,) = disagreements("How many people died in the fire?", sentences(*told, dates=DATES[:1] * 2))
    assert not same_day.update
    assert not any(value.newer for value in same_day.values)


def test_an_article_does_not_disagree_with_itself() -> None:
    article = Article("a", "T", "The repairs cost 14 million euros. The repairs cost 17 million euros.")
    both = [EvidenceSentence(1, article, 0, 0, 34, 1.0), EvidenceSentence(2, article, 1, 35, 69, 1.0)]
    assert disagreements(COST, both) == ()


def test_a_syndicated_copy_counts_once_and_another_witness_is_named_beside_it() -> None:
    one, other = "The repairs cost 14 million euros.", "The repairs cost 17 million euros."
    (copied,) = disagreements(COST, sentences(one, other, other))
    assert [value.article for value in copied.values] == ["a1", "a2"]
    (joined,) = disagreements(COST, sentences(one, other, "The repairs of the bridge cost 17 million euros."))
    assert in_words(joined).endswith("; Coast Weekly (2021-03-09), Harbour News (2021-03-16, newer): 17 million euros.")


def test_a_source_without_name_or_date_goes_by_its_title() -> None:
    told = "The repairs cost 14 million euros.", "The repairs cost 17 million euros."
    articles = [Article(f"a{n}", f"Title {n}", text) for n, text in enumerate(told)]
    (found,) = disagreements(
        COST, [EvidenceSentence(n, a, 0, 0, len(a.text), 1.0) for n, a in enumerate(articles, start=1)]
    )
    assert in_words(found) == "Title 0: 14 million euros; Title 1: 17 million euros."


@pytest.mark.parametrize("text", ["", "[3] <b>", "…", "0" * 500, "$", "may", "May", "١٢ people", "\ud800 14 people"])
def test_odd_texts_are_no_trouble(text: str) -> None:
    found: tuple[Disagreement, ...] = disagreements(text, sentences(text, "The repairs cost 17 million euros.", text))
    assert found == ()


def test_a_day_in_a_month_is_not_newer_than_the_month() -> None:
    assert is_newer("2021-03-02", "2021-02")
    assert not is_newer("2021-03-02", "2021-03")
    assert not is_newer("2021-03-02", "")
