"""What is made of what a model tells of a question; which model tells it is of no account."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from prompts import Message
from rag.models.asked import Asked
from rag.question import Meant, meant
from rag.types import Kind, Turn

PLAIN, ODD = Asked({"plain": 1.0}), Asked({"other": 1.0})
BEFORE = [Turn("user", "What stands in the harbour?"), Turn("assistant", "Cranes.")]
TYPED = "Where do they come from?"


class Model:
    """Writes what a test says, and keeps what it was asked."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.prompts: list[list[Message]] = []

    def __call__(self, messages: Sequence[Message], max_tokens: int) -> str:
        self.prompts.append(list(messages))
        return self.text


def tell(text: str, typed: str = TYPED, *, trained: bool = True) -> Meant:
    return meant(typed, BEFORE, Model(text), PLAIN, trained=trained)


@pytest.mark.parametrize(
    ("history", "looks", "trained", "asked"),
    [
        ([], PLAIN, True, False),
        ([], ODD, True, True),
        ([], ODD, False, False),
        (BEFORE, PLAIN, True, True),
        (BEFORE, PLAIN, False, True),
        ([Turn("assistant", "Good morning.")], PLAIN, True, False),  # nobody asked anything yet
        ([Turn("user", " \n ")], PLAIN, True, False),
    ],
)
def test_a_model_is_asked_about_follow_ups_and_a_trained_one_about_what_looks_odd(
    history: list[Turn], looks: Asked, trained: bool, asked: bool
) -> None:
    model = Model("question: Where do cranes come from?" if trained else "Where do cranes come from?")
    found = meant(TYPED, history, model, looks, trained=trained)
    assert len(model.prompts) == asked
    assert found == Meant(Kind.QUESTION, "Where do cranes come from?" if asked else TYPED)


def test_the_conversation_is_told_on_a_line_for_each_turn_and_what_was_typed_after_it() -> None:
    model = Model()
    meant("And {who}?", [*BEFORE, Turn("user", " Of\nwhat? ")], model, PLAIN, trained=True)
    said = model.prompts[0][-1].content
    assert "Question: What stands in the harbour?\nAnswer: Cranes.\nQuestion: Of what?\n" in said
    assert said.index("Of what?") < said.index("And {who}?")


def test_the_last_three_exchanges_are_told_and_of_each_turn_its_beginning() -> None:
    model = Model()
    long = [Turn(role, f"<{n}> {'x' * 500}") for n in range(5) for role in ("user", "assistant")]
    meant(TYPED, long, model, PLAIN, trained=True)
    said = model.prompts[0][-1].content
    assert [f"<{n}>" in said for n in range(5)] == [False, False, True, True, True]
    assert said.count("x" * 396) == 6
    assert "x" * 397 not in said


@pytest.mark.parametrize("kind", [Kind.QUESTION, Kind.OVERVIEW, Kind.SUMMARY, Kind.LIST])
def test_a_kind_comes_with_the_question_that_is_meant(kind: Kind) -> None:
    assert tell(f"{kind}: Where do cranes come from? ") == Meant(kind, "Where do cranes come from?")


@pytest.mark.parametrize("kind", [Kind.TALK, Kind.ABILITY])
@pytest.mark.parametrize("rest", ["", " Hello to you."])
def test_talk_stays_as_it_was_typed(kind: Kind, rest: str) -> None:
    assert tell(f"{kind}:{rest}", "Hello!") == Meant(kind, "Hello!")


def test_only_the_first_line_counts_and_the_first_colon() -> None:
    assert tell("\nlist: Articles: which?\nquestion: Who?") == Meant(Kind.LIST, "Articles: which?")


@pytest.mark.parametrize(
    "text",
    ["", "question", "question:", "question: …?", "summary: ", "riddle: Who?", "Where do cranes come from?", "Talk:"],
)
def test_what_is_no_kind_with_a_question_leaves_what_was_typed(text: str) -> None:
    assert tell(text) == Meant(Kind.QUESTION, TYPED)


@pytest.mark.parametrize(("added", "taken"), [(30, True), (31, False)])
def test_a_rewrite_that_grows_by_more_than_thirty_words_is_a_tale(added: int, taken: bool) -> None:
    longer = f"{TYPED} {'and on ' * (added // 2)}{'so' * (added % 2)}".strip()
    assert tell(f"question: {longer}").question == (longer if taken else TYPED)
    assert tell(longer, trained=False).question == (longer if taken else TYPED)


def test_a_model_that_was_not_trained_rewrites_and_tells_no_kind() -> None:
    assert tell("Where do cranes come from?\nOr not?", trained=False) == Meant(
        Kind.QUESTION, "Where do cranes come from?"
    )
    assert tell("talk: Hello", trained=False) == Meant(Kind.QUESTION, "talk: Hello"), "it is no kind there"
    assert tell("  ", trained=False) == Meant(Kind.QUESTION, TYPED)


def test_the_two_models_are_asked_by_prompts_of_their_own() -> None:
    one, other = Model(), Model()
    meant(TYPED, BEFORE, one, PLAIN, trained=True)
    meant(TYPED, BEFORE, other, PLAIN, trained=False)
    assert one.prompts != other.prompts
    assert any(m.role == "assistant" for m in other.prompts[0]), "the untrained one is shown how"
