from __future__ import annotations

import pytest

from rag.models.llm import Usage
from rag.reader import MISSING, NONE, none, prompt, says_none
from tests.rag.making import article, sentence

PORT = article("port", "It opened in 2007.", "It {closed}.", title="The port")
READ = [sentence(PORT, 0, number=1), sentence(PORT, 1, number=2)]


@pytest.mark.parametrize("trained", [True, False])
def test_the_prompt_ends_with_evidence_and_question(trained: bool) -> None:
    *_, last = prompt("When {did} it open?", READ, "2025-07-27", trained=trained)
    assert last.role == "user"
    assert "Article: The port\n[1] It opened in 2007.\n[2] It {closed}.\n" in last.content
    assert last.content.endswith("\nQuestion (asked on 2025-07-27): When {did} it open?")


def test_a_day_that_is_not_known_is_not_told() -> None:
    assert prompt("When?", READ, "", trained=True)[-1].content.endswith("\nQuestion: When?")


def test_a_model_that_was_not_trained_is_shown_how() -> None:
    trained, untrained = (prompt("When?", READ, "", trained=told) for told in (True, False))
    assert [m.role for m in trained] == ["system", "user"]
    assert any(m.role == "assistant" for m in untrained)
    assert trained[-1].content in untrained[-1].content


def test_what_comes_before_the_evidence_is_the_same_for_every_question() -> None:
    assert prompt("", (), "", trained=True)[:-1] == prompt("When?", READ, "2025-07-27", trained=True)[:-1]


@pytest.mark.parametrize(
    ("likely", "probability"),
    [
        ({"None": 0.75, "The": 0.25}, 0.75),
        ({"No": 0.75, "N": 0.125, "None": 0.125}, 0.125),  # "No, it did not", "Noah"
        ({"none": 0.5, "Nonetheless": 0.25, "the": 0.25}, 0.0),
        ({"": 0.5, "The": 0.5}, 0.0),  # white space says nothing yet
        ({}, 0.0),
    ],
)
def test_there_is_no_answer_as_probably_as_it_begins_to_say_so(likely: dict[str, float], probability: float) -> None:
    assert none(Usage(likely=(likely,))) == pytest.approx(probability)


def test_only_the_first_word_counts_and_nothing_is_known_where_nothing_is_told() -> None:
    assert none(Usage(likely=({"The": 1.0}, {"None": 1.0}))) == 0.0
    assert none(Usage()) == 0.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("None of the articles says who paid.", True),
        ("\n None of the articles says so. It opened in 2007 [1].", True),
        ("It opened in 2007 [1]. None of the articles says who paid.", False),
        ("None of the ministers came [1].", False),
        ("The articles do not say who paid.", False),
        ("", False),
    ],
)
def test_a_text_says_that_there_is_no_answer_only_at_its_beginning(text: str, says: bool) -> None:
    assert says_none(text) is says


def test_what_says_that_a_part_is_missing_is_not_taken_for_no_answer() -> None:
    assert not says_none(MISSING)
    assert not MISSING.startswith(NONE[:4])
