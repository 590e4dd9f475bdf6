from __future__ import annotations

from collections.abc import Sequence

import pytest

from prompts import Message
from rag.types import Turn
from rag.conversation import refers_back, standalone, told

HISTORY = [
    Turn("user", "Who is the mayor of Quetta?"),
    Turn("assistant", "Rubina Khan is the mayor of Quetta."),
]


class Writer:
    """Stands for the model: remembers its prompts and writes what it is told."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.prompts: list[str] = []

    def __call__(self, messages: Sequence[Message], max_tokens: int) -> str:
        self.prompts.append(messages[-1].content)
        return self.text


@pytest.mark.parametrize(
    "question",
    [
        "When was she elected?",
        "And in Karachi?",
        "What about Lahore?",
        "Why?",
        "Who else was invited to that meeting?",
        "How old?",
        "What did they sign there?",
    ],
)
def test_a_follow_up_refers_back(question: str) -> None:
    assert refers_back(question, HISTORY)
    assert not refers_back(question, []), "without a conversation there is nothing to refer to"


@pytest.mark.parametrize(
    "question",
    ["Who is the mayor of Lahore in Punjab?", "How many people were injured in the Karachi airport bombing?"],
)
def test_a_question_that_stands_alone_does_not_and_costs_no_call(question: str) -> None:
    write = Writer("nonsense")
    assert standalone(question, HISTORY, write) == question
    assert write.prompts == []


def test_the_first_question_costs_no_call() -> None:
    write = Writer("nonsense")
    assert standalone("Why?", [], write) == "Why?"
    assert write.prompts == []


def test_the_rewrite_is_asked_for_with_the_conversation_and_taken() -> None:
    write = Writer('"When was Rubina Khan elected?"\nSome chatter.')
    assert standalone("When was she elected?", HISTORY, write) == "When was Rubina Khan elected?"
    (prompt,) = write.prompts
    assert "Rubina Khan is the mayor" in prompt
    assert "When was she elected?" in prompt


@pytest.mark.parametrize(
    "rewritten", ["", "   ", "She was elected in 2019 after a long campaign. " * 8, "Bananas are yellow?", "…"]
)
def test_a_rewrite_that_is_no_question_of_the_same_is_not_taken(rewritten: str) -> None:
    result = standalone("When was she elected?", HISTORY, Writer(rewritten))
    assert result.startswith("When was she elected?")
    assert "mayor of Quetta" in result


def test_braces_in_the_conversation_are_only_text() -> None:
    write = Writer("When was she {elected}?")
    turns = [Turn("user", "Who is {question} of {0}?"), Turn("assistant", "{}")]
    standalone("When was she {elected}?", turns, write)
    assert "{question} of {0}" in write.prompts[0]


@pytest.mark.parametrize(
    "question",
    [
        "Is it true that the bridge at Westmoor is closed?",
        "How long does it take to cross the bridge at Westmoor?",
        "Is there a ferry between Ashby and Kirkby on Sundays?",
        "Who says that the waterworks of Elmford leak?",
        "Which of the towns has one of the oldest bridges in Kent?",
        "Which town lost its bridge in the flood?",
        "Did more than two towns, such as Ashby, also build a bridge so long?",
        "Why did the Coast Shipping Company then change its prices again?",
        "What did Ada Holm say about her plans for Kirkby?",
        "Ashby has a bridge. Who built it?",
        "Who is Ada Holm?",
        "Thanks! Which bridges are there in Westmoor this year?",
        "How can I tell if a bridge is safe?",
    ],
)
def test_words_that_refer_to_nothing_before_cost_no_call(question: str) -> None:
    write = Writer("nonsense")
    assert standalone(question, HISTORY, write) == question
    assert write.prompts == []


@pytest.mark.parametrize(
    "question",
    [
        "Which two of its bridges were closed?",
        "Which problems does the author say their plans share?",
        "What kind of tickets does it sell?",
        "Is it safe to use?",
        "And what about the second one?",
        "Was the harbour of Ashby built there?",
        "What did Ashby think, given how hopeful she was?",
        "Who spoke in Ashby that same day?",
        "Is that why the bridge of Ashby closed?",
        "Westmoor Bridge",
        "What other bridges are closed?",
        "What did you say about the price of the ferry?",
    ],
)
def test_what_the_question_itself_does_not_name_refers_back(question: str) -> None:
    assert refers_back(question, HISTORY)


def test_the_reply_to_a_question_back_is_completed() -> None:
    asked_back = [Turn("user", "When was the bridge built?"), Turn("assistant", "Which bridge do you mean?")]
    write = Writer("When was the bridge at Westmoor built, not the one at Ashby?")
    standalone("I am interested in the long one at Westmoor, not in Ashby.", asked_back, write)
    assert len(write.prompts) == 1


def test_an_older_topic_is_not_told_and_the_turn_that_opened_this_one_is() -> None:
    long = Turn("assistant", "It is. " * 200)
    turns = [
        Turn("user", "Who is the mayor of Quetta?"), Turn("assistant", "Rubina Khan."),
        Turn("user", "How many pumps does the Elmford waterworks have?"), Turn("assistant", "Nine."),
        *(turn for n in range(12) for turn in (Turn("user", f"And is pump {n} old?"), long)),
    ]  # fmt: skip
    lines = told(turns)
    assert lines[0] == "Question: How many pumps does the Elmford waterworks have?"
    assert not any("Quetta" in line for line in lines)
    assert lines[-2] == "Question: And is pump 11 old?"
    assert lines[-1].endswith("It is."), "cut at the end of a sentence"
    assert sum(map(len, lines)) <= 1_800


def test_a_rewrite_that_makes_names_up_is_not_taken() -> None:
    made_up = "When was she elected in Bananaland by pirates of Quetta?"
    assert standalone("When was she elected?", HISTORY, Writer(made_up)) != made_up


def test_a_question_of_the_thing_at_hand_may_come_back_as_it_was() -> None:
    turns = [Turn("user", "Who paid for the bridge at Westmoor?"), Turn("assistant", "The county paid for the bridge.")]
    question = "What did the workers call the bridge?"
    assert standalone(question, turns, Writer(question)) == question


def test_only_the_last_turns_are_told_and_long_ones_are_cut() -> None:
    write = Writer("When was she elected?")
    turns = [Turn("user", f"Question number {n}? " + "long " * 300) for n in range(20)]
    standalone("When was she elected?", turns, write)
    assert "number 19" in write.prompts[0]
    assert "number 3?" not in write.prompts[0]
    assert len(write.prompts[0]) < 4_000
