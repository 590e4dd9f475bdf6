"""What is made of the words and probabilities that a model tells; which model tells them is of no account."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

import pytest

from index.errors import ModelError
from prompts import Message, render
from rag.evidence import shown
from rag.judge import PARTIAL, SUPPORTED, Judge, Relation, Verdict
from rag.models.llm import Usage, Waiting
from rag.types import Support
from tests.rag.making import article, sentence

ONE = sentence(article("one", "It cost 14 million."), 0, number=1)
OTHER = sentence(article("other", "It cost 17 million."), 0, number=2)


class Model:
    """Tells what a test says: probabilities at each place, or words alone."""

    def __init__(self, *told: Mapping[str, float], text: str = "") -> None:
        self.told, self.text = told, text
        self.is_trained = not text
        self.error: ModelError | None = None
        self.messages: list[Message] = []
        self.max_tokens = 0
        self.options: tuple[threading.Event | None, bool, bool] | None = None

    def write(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        stop: threading.Event | None = None,
        *,
        likely: bool = False,
        aside: bool = False,
        without: str = "",
    ) -> Generator[str | Waiting, None, Usage]:
        self.messages, self.max_tokens, self.options = list(messages), max_tokens, (stop, likely, aside)
        yield Waiting(1)
        if self.error:
            raise self.error
        yield from self.text
        return Usage(likely=tuple(map(dict, self.told)))


def carried(model: Model) -> Verdict:
    return Judge(model).carried("What did it cost?", "It cost 14 million.", [ONE])  # type: ignore[arg-type]


def relate(model: Model) -> dict[Relation, float]:
    return Judge(model).relation("What did it cost?", ONE, OTHER)  # type: ignore[arg-type]


def test_a_verdict_is_the_shares_of_three_words_in_any_case_whatever_else_is_likely() -> None:
    verdict = carried(Model({"yes": 0.2, "no": 0.1, "part": 0.1, "Yes": 0.2, "No.": 0.2, "maybe": 0.2}))
    assert (verdict.yes, verdict.part, verdict.no) == pytest.approx((0.5, 0.125, 0.375))


@pytest.mark.parametrize(
    "model",
    [Model({}), Model({"maybe": 1.0}), Model({",": 0.999, "yes": 0.001}), Model(), Model(text="Hm, who knows?")],
    ids=["nothing", "another word", "a verdict only just possible", "no place", "words"],
)
def test_where_no_verdict_is_told_nothing_is_carried(model: Model) -> None:
    assert carried(model) == Verdict(0, 0, 1)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Yes", Verdict(1, 0, 0)),
        ("part.", Verdict(0, 1, 0)),
        ("NO", Verdict(0, 0, 1)),
        ("Verdict: yes", Verdict(1, 0, 0)),
        ("part, yes", Verdict(0, 1, 0)),
    ],
)
def test_where_a_model_tells_no_probabilities_its_first_verdict_is_certain(text: str, verdict: Verdict) -> None:
    assert carried(Model(text=text)) == verdict


def test_a_sentence_is_judged_from_what_it_cites_alone_and_by_one_word() -> None:
    model, stop = Model({"yes": 1.0}), threading.Event()
    cited = [replace(ONE, number=4), replace(OTHER, number=9)]
    judge = Judge(model)  # type: ignore[arg-type]
    verdict = judge.carried("What did it cost?", "It cost 14 million.", cited, "2025-07-27", stop)
    assert verdict == Verdict(1, 0, 0)
    assert model.messages == render(
        "check",
        evidence=shown([ONE, OTHER]),  # numbered anew
        question="What did it cost?",
        asked=" (asked on 2025-07-27)",
        sentence="It cost 14 million.",
    )
    assert (model.max_tokens, model.options) == (1, (stop, True, True))


def test_a_model_that_was_not_trained_may_write_a_few_words_before_its_verdict() -> None:
    model = Model(text="yes")
    carried(model)
    assert model.max_tokens > 1


@pytest.mark.parametrize(
    ("yes", "part", "support"),
    [
        (SUPPORTED, 0.0, Support.SUPPORTED),
        (SUPPORTED - 0.001, 0.0, Support.PARTIAL),
        (PARTIAL, 0.0, Support.PARTIAL),
        (0.0, PARTIAL, Support.PARTIAL),
        (PARTIAL / 2, PARTIAL / 2, Support.PARTIAL),
        (0.0, PARTIAL - 0.01, Support.UNSUPPORTED),
        (PARTIAL / 2, PARTIAL / 2 - 0.01, Support.UNSUPPORTED),
        (0.0, 0.0, Support.UNSUPPORTED),
    ],
)
def test_support_begins_at_its_thresholds(yes: float, part: float, support: Support) -> None:
    assert Verdict(yes, part, 1 - yes - part).support is support


def test_two_sentences_relate_by_the_shares_of_four_words() -> None:
    found = relate(Model({"agree": 0.4, "later": 0.1, "against": 0.3, "perhaps": 0.2}))
    assert found == {
        Relation.AGREE: pytest.approx(0.5),
        Relation.LATER: pytest.approx(0.125),
        Relation.AGAINST: pytest.approx(0.375),
        Relation.OTHER: 0.0,
    }


def test_a_relation_that_is_told_as_a_word_is_certain_and_one_that_is_not_told_is_none() -> None:
    assert relate(Model(text="Against"))[Relation.AGAINST] == 1.0
    assert set(relate(Model(text="hm")).values()) == {0.0}


def test_a_relation_is_asked_with_both_sentences_and_the_question_for_one_word() -> None:
    model = Model()
    relate(model)
    said = model.messages[-1].content
    assert "[1] It cost 14 million." in said
    assert "[2] It cost 17 million." in said
    assert "What did it cost?" in said
    assert (model.max_tokens, model.options) == (1, (None, True, True))


def test_a_model_that_fails_fails_the_verdict() -> None:
    model = Model()
    model.error = ModelError("on fire")
    for act in (lambda: carried(model), lambda: relate(model)):
        with pytest.raises(ModelError, match="on fire"):
            act()
