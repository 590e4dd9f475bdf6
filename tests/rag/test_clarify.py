"""When a question is left open, and what is asked back; on made-up towns, bridges and waterworks."""

from __future__ import annotations

import pytest

from index.article import Article
from rag.types import EvidenceSentence, Turn
from rag.clarify import Clarification, clarify


def passage(name: str, title: str, text: str) -> EvidenceSentence:
    return EvidenceSentence(1, Article(name, title, text), 0, 0, len(text), 1.0)


TOWNS = [
    passage("a", "Ashby Bridge: opening hours", "The Ashby Bridge opens at six."),
    passage("b", "Kirkby Bridge: opening hours", "The Kirkby Bridge opens at eight."),
    passage("c", "Waterworks of Elmford", "The waterworks belong to the town."),
]
HISTORY = [
    Turn("user", "Who runs the ferries of Westmoor?"),
    Turn("assistant", "The Coast Shipping Company runs the ferries of Westmoor."),
]


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Is this bridge open on Sundays?", "Which bridge do you mean?"),
        ("Does this Harbour Board publish its minutes?", "Which Harbour Board do you mean?"),
        ("When was it built?", "What do you mean by “it”?"),
        ("How old is he?", "Whom do you mean by “he”?"),
        ("How can we improve its output?", "What do you mean by “its”?"),
    ],
)
def test_a_first_question_about_nothing_named_is_asked_back(question: str, asked: str) -> None:
    found = clarify(question, [], TOWNS)
    assert found
    assert found.question == asked


@pytest.mark.parametrize(
    "question",
    [
        "Which bridge was closed this week?",
        "Is it true that the harbour bridge of Ashby is closed?",
        "How long does it take to cross the Ashby Bridge?",
        "Is it legal to fish from the Ashby Bridge?",
        "When did the Ashby Bridge open and who paid for it?",
        "Which town lost its bridge in the flood of 1953?",
        "A ship hit the bridge at Kirkby. What was this ship called?",
        "Who is the mayor of the town that owns the waterworks?",
        "who wrote the anthem",
        "What is the longest bridge in the county?",
        "What happened in Elmford during the flood?",
        "Is there a specific day on which the ferry does not run?",
        "tell me about the waterworks of elmford",
        "There is a bridge in Ashby. Who built it?",
    ],
)
def test_a_question_that_says_what_it_is_about_is_not(question: str) -> None:
    assert clarify(question, [], TOWNS) is None


def test_in_passages_of_one_article_that_article_is_meant() -> None:
    alone = [passage("a", "Ashby Bridge", "It opens at six."), passage("a", "Ashby Bridge", "It was built in 1931.")]
    assert clarify("When was it built?", [], alone) is None
    assert clarify("When was it built?", [], TOWNS)


def test_what_may_be_meant_is_named_from_what_was_found() -> None:
    found = clarify("Is this bridge open on Sundays?", [], TOWNS)
    assert found == Clarification("Which bridge do you mean?", ("Ashby Bridge", "Kirkby Bridge"))
    assert found.text == "Which bridge do you mean: Ashby Bridge or Kirkby Bridge, or something else?"
    assert Clarification("Which loan do you mean?").text == "Which loan do you mean?"


def test_one_candidate_is_no_choice_and_no_option() -> None:
    found = clarify("Is this bridge open on Sundays?", [], [TOWNS[0], TOWNS[2]])
    assert found == Clarification("Which bridge do you mean?")


def test_after_a_conversation_a_pronoun_is_for_the_rewrite() -> None:
    assert clarify("When was it founded?", HISTORY, TOWNS) is None
    assert clarify("How many ships does this company own?", HISTORY, TOWNS) is None


def test_one_of_many_is_open_where_only_the_many_were_spoken_of() -> None:
    many = [Turn("user", "Our partners pay different shares."), Turn("assistant", "Then partners should agree first.")]
    one = [*many, Turn("user", "The partner from Kirkby pays most."), Turn("assistant", "Then the partner decides.")]
    question = "How much does this partner own?"
    found = clarify(question, many, TOWNS)
    assert found
    assert found.question == "Which partner do you mean?"
    assert clarify(question, one, TOWNS) is None


def test_hostile_text_is_only_text() -> None:
    found = [passage("a", "(((", "[[[ \\ *"), passage("b", "+?{", "")]
    assert clarify("Is this (bridge [ open?", [], found) is None
    assert clarify("", [], found) is None
    assert clarify("the ? the ! this", HISTORY, []) is None
