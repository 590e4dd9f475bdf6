from __future__ import annotations

from collections.abc import Sequence

import pytest

from prompts import Message
from rag.answer import Turn
from rag.conversation import refers_back, standalone

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


def test_only_the_last_turns_are_told_and_long_ones_are_cut() -> None:
    write = Writer("When was she elected?")
    turns = [Turn("user", f"Question number {n}? " + "long " * 300) for n in range(20)]
    standalone("When was she elected?", turns, write)
    assert "number 19" in write.prompts[0]
    assert "number 3?" not in write.prompts[0]
    assert len(write.prompts[0]) < 4_000
