"""When a question is left open, and what is asked back; on made-up towns, bridges and waterworks."""

from __future__ import annotations

import pytest

from rag.answer import Turn
from rag.clarify import Clarification, Passage, clarify

TOWNS = [
    Passage("a", "Ashby Bridge: opening hours", "The Ashby Bridge opens at six."),
    Passage("b", "Kirkby Bridge: opening hours", "The Kirkby Bridge opens at eight."),
    Passage("c", "Waterworks of Elmford", "The waterworks belong to the town."),
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
        ("When was it built?", "What do you mean?"),
        ("How old is he?", "Whom do you mean?"),
        ("How can we improve its output?", "What do you mean?"),
        ("How many people were hurt in the collapse?", "Which collapse do you mean?"),
        ("What did the engineer find?", "Which engineer do you mean?"),
        ("Can you tell me about a specific town on the coast?", "Which town do you mean?"),
        ("tell me about ferry prices", "Which ferry prices do you mean?"),
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
    alone = [Passage("a", "Ashby Bridge", "It opens at six."), Passage("a", "Ashby Bridge", "It was built in 1931.")]
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


def test_titles_that_number_a_series_leave_open_which() -> None:
    series = [Passage(str(n), f"Harbour Lights (season {n})", "A serial.") for n in (2, 3, 5)]
    found = clarify("When did the season of Harbour Lights begin?", [], series)
    assert found == Clarification("Which season do you mean?", ("season 2", "season 3", "season 5"))
    assert clarify("When did the third season of Harbour Lights begin?", [], series) is None
    assert clarify("When did the season of Harbour Lights begin?", [], series[:2]) is None


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


def test_kinds_that_were_told_apart_are_the_options() -> None:
    told = [
        Turn("user", "What pumps does Elmford have?"),
        Turn("assistant", "Elmford has inlet pumps, relay pumps and storm pumps. They run at night."),
    ]
    found = clarify("How often is the pump serviced?", told, TOWNS)
    assert found == Clarification("Which pump do you mean?", ("inlet pumps", "relay pumps", "storm pumps"))


def test_a_new_topic_that_names_nothing_is_asked_back_and_a_detail_of_the_old_one_is_not() -> None:
    found = clarify("What documents are required to apply for the grant?", HISTORY, TOWNS)
    assert found
    assert found.question == "Which grant do you mean?"
    assert clarify("What is the price?", HISTORY, TOWNS) is None
    assert clarify("What tickets are required to board the ferries?", HISTORY, TOWNS) is None


def test_hostile_text_is_only_text() -> None:
    found = [Passage("a", "(((", "[[[ \\ *"), Passage("b", "+?{", "")]
    assert clarify("Is this (bridge [ open?", [], found) is None
    assert clarify("", [], found) is None
    assert clarify("the ? the ! this", HISTORY, []) is None
