from __future__ import annotations

from collections.abc import Mapping

import pytest

from rag.disagreement import SURE, disagreements, heading, in_words
from rag.evidence import reading
from rag.judge import Relation
from rag.types import Disagreement, EvidenceSentence, Value
from tests.rag.making import article, count, ranked, sentence

COST = "How much did the repair of the bridge cost?"
GAZETTE = article(
    "g", "The bridge reopened.", "The repairs cost  14 million.", source="Gazette", published="2021-03-02"
)
WEEKLY = article("w", "The repairs cost 17 million.", source="Weekly", published="2021-03-09")
DAILY = article("d", "It cost a lot.", source="Daily", published="2020-01-01")


class Relate:
    """Tells how any two sentences relate, and keeps the questions and the pairs that it was asked for."""

    def __init__(self, **share: float) -> None:
        self.share = {each: share.get(each.value, 0.0) for each in Relation}
        self.pairs: list[tuple[str, str]] = []
        self.questions: set[str] = set()

    def __call__(self, question: str, one: EvidenceSentence, other: EvidenceSentence) -> dict[Relation, float]:
        self.questions.add(question)
        self.pairs.append((one.text, other.text))
        return self.share


def read(weekly: float = 8.0) -> list[EvidenceSentence]:
    return [sentence(WEEKLY, 0, weekly, 1), sentence(GAZETTE, 0, 5.0, 2), sentence(GAZETTE, 1, 9.0, 3)]


def test_the_best_sentences_of_two_articles_are_compared_the_older_one_first() -> None:
    relate = Relate(against=1.0)
    (found,) = disagreements(COST, read(), relate)
    assert relate.questions == {COST}
    assert relate.pairs == [("The repairs cost  14 million.", "The repairs cost 17 million.")]
    assert found == Disagreement(
        (
            Value("The repairs cost 14 million.", "g", "Title of g", "Gazette", "2021-03-02", 3),
            Value("The repairs cost 17 million.", "w", "Title of w", "Weekly", "2021-03-09", 1),
        )
    )


def test_of_a_reading_the_sentences_that_speak_to_the_question_are_compared_not_those_before_them() -> None:
    relate = Relate()
    disagreements(COST, reading(ranked((GAZETTE, 1, 9.0), (WEEKLY, 0, 8.0)), count, 400), relate)
    assert relate.pairs == [("The repairs cost  14 million.", "The repairs cost 17 million.")]


@pytest.mark.parametrize(
    ("share", "told"),
    [
        ({"against": SURE}, True),
        ({"later": SURE}, True),
        ({"against": SURE / 2, "later": SURE / 2}, True),
        ({"against": SURE - 0.01, "agree": 1.0}, False),
        ({"agree": 1.0}, False),
        ({"other": 1.0}, False),
        ({}, False),
    ],
)
def test_a_disagreement_is_told_from_the_threshold(share: Mapping[str, float], told: bool) -> None:
    assert bool(disagreements(COST, read(), Relate(**share))) is told


@pytest.mark.parametrize(
    ("share", "update"),
    [
        ({"later": 0.6, "against": 0.4}, True),
        ({"later": 0.4, "against": 0.6}, False),
        ({"later": 0.5, "against": 0.5}, False),
    ],
)
def test_a_later_article_replaces_an_older_one_where_that_is_likelier(share: Mapping[str, float], update: bool) -> None:
    (found,) = disagreements(COST, read(), Relate(**share))
    assert found.update is update


@pytest.mark.parametrize(
    ("older", "newer", "update"),
    [
        ("2021-03-02", "2021-03-03", True),
        ("2021-03-02", "2021-03-02", False),
        ("2021-03", "2021-03-02", False),  # perhaps the same day
        ("", "2021-03-02", False),
        ("", "", False),
    ],
)
def test_only_an_article_that_is_later_for_certain_replaces_another(older: str, newer: str, update: bool) -> None:
    both = [
        sentence(article(name, "It cost a lot.", published=day), 0, 1.0) for name, day in (("n", newer), ("o", older))
    ]
    (found,) = disagreements(COST, both, Relate(later=1.0))
    assert found.update is update


@pytest.mark.parametrize(("weekly", "compared"), [(8.0, True), (7.99, False)])
def test_what_is_much_less_relevant_is_not_compared(weekly: float, compared: bool) -> None:
    relate = Relate()
    disagreements(COST, read(weekly), relate)
    assert bool(relate.pairs) is compared


def test_of_three_articles_only_the_two_most_relevant_are_compared() -> None:
    relate = Relate(against=1.0)
    (found,) = disagreements(COST, [*read(), sentence(DAILY, 0, 8.5, 4)], relate)
    assert [value.source for value in found.values] == ["Daily", "Gazette"]
    assert relate.pairs == [("It cost a lot.", "The repairs cost  14 million.")]


def test_one_article_has_nobody_to_differ_from() -> None:
    for alone in ([], read()[1:]):
        assert disagreements(COST, alone, Relate(against=1.0)) == ()


@pytest.mark.parametrize(
    ("update", "words"), [(True, "A later article says otherwise"), (False, "The articles differ")]
)
def test_the_heading_says_whether_the_later_one_replaces_the_older(update: bool, words: str) -> None:
    assert heading(Disagreement((), update)) == words


def test_it_is_told_who_says_what_and_when() -> None:
    told = Disagreement(
        (
            Value("It cost 14 million.", "g", "The bridge", "Gazette", "2021-03-02", 1),
            Value("It cost 17 million.", "w", "Counting", "", "", 2),
            Value("It cost a lot.", "d.txt", "", "", "2020", 3),
        )
    )
    assert in_words(told) == (
        "Gazette (2 March 2021): “It cost 14 million.”; Counting: “It cost 17 million.”; d.txt (2020): “It cost a lot.”"
    )
