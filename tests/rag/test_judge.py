"""What is made of the words and probabilities that a model tells; which model tells them is of no account."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence

import pytest

from index.errors import ModelError
from prompts import Message, render
from rag.judge import PARTIAL, SUPPORTED, Checked, Judge, Relation, Verdict
from rag.models.llm import Usage, Waiting
from rag.types import Support
from tests.rag.making import article, sentence

READ = render("read", evidence="[1] It opened in 2007.", question="When?", asked="")
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
        self.options: tuple[threading.Event | None, bool, int | None] | None = None

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
        self.messages, self.max_tokens, self.options = list(messages), max_tokens, (stop, likely, begun)
        yield Waiting(1)
        if self.error:
            raise self.error
        yield from self.text
        return Usage(likely=tuple(map(dict, self.told)))


def check(model: Model, sentences: int) -> Checked:
    return Judge(model).check(READ, "It opened in 2007 [1].", sentences)  # type: ignore[arg-type]


def relate(model: Model) -> dict[Relation, float]:
    return Judge(model).relation("What did it cost?", ONE, OTHER)  # type: ignore[arg-type]


def test_a_verdict_is_read_for_each_sentence_and_the_last_one_for_the_answer() -> None:
    checked = check(Model({"yes": 0.7, "part": 0.2, "no": 0.1}, {"no": 1.0}, {"part": 1.0}), 2)
    first, second = checked.sentences
    assert (first.yes, first.part, first.no) == pytest.approx((0.7, 0.2, 0.1))
    assert second == Verdict(0, 0, 1)
    assert checked.answer == Verdict(0, 1, 0)


def test_probabilities_are_shared_among_the_three_words_whatever_else_is_likely() -> None:
    (verdict,) = check(Model({"yes": 0.2, "no": 0.2, "Yes": 0.4, "maybe": 0.2}, {}), 1).sentences
    assert (verdict.yes, verdict.part, verdict.no) == pytest.approx((0.75, 0.0, 0.25))


@pytest.mark.parametrize("at", [{}, {"maybe": 1.0}])
def test_where_no_verdict_is_told_nothing_is_carried(at: dict[str, float]) -> None:
    checked = check(Model(at, at), 1)
    assert checked.sentences[0].support is Support.UNSUPPORTED
    assert checked.answer == Verdict(0, 0, 1)


def test_a_place_where_a_verdict_is_only_just_possible_is_no_verdict() -> None:
    checked = check(Model({"yes": 1.0}, {",": 0.999, "no": 0.001}, {"yes": 1.0}), 1)
    assert checked.answer == Verdict(1, 0, 0)


def test_words_stand_for_themselves_where_a_model_tells_no_probabilities() -> None:
    checked = check(Model(text="Yes part\nNO yes"), 3)
    assert [v.support for v in checked.sentences] == [Support.SUPPORTED, Support.PARTIAL, Support.UNSUPPORTED]
    assert checked.answer == Verdict(1, 0, 0)


@pytest.mark.parametrize("model", [Model({"yes": 1.0}), Model(text="yes")], ids=["probabilities", "words"])
def test_verdicts_that_are_missing_are_no(model: Model) -> None:
    checked = check(model, 2)
    assert [v.yes for v in checked.sentences] == [1, 0]
    assert checked.answer == Verdict(0, 0, 1)


@pytest.mark.parametrize("model", [Model(*[{"yes": 1.0}] * 9), Model(text="yes " * 9)], ids=["probabilities", "words"])
def test_verdicts_too_many_are_put_aside(model: Model) -> None:
    assert len(check(model, 2).sentences) == 2


def test_it_is_asked_where_the_answer_was_written_for_one_word_a_verdict() -> None:
    model, stop = Model(), threading.Event()
    Judge(model).check(READ, "It opened [1]. It shut [2].", 2, stop)  # type: ignore[arg-type]
    assert model.messages == [*READ, Message("assistant", "It opened [1]. It shut [2]."), *render("check")]
    assert (model.max_tokens, model.options) == (3, (stop, True, len(READ)))


def test_a_claim_is_checked_against_sentences_as_an_answer_would_be() -> None:
    model = Model({"part": 1.0}, {"yes": 1.0})
    assert Judge(model).claim("It cost 14 million.", [ONE]) == Verdict(0, 1, 0)  # type: ignore[arg-type]
    assert "[1] It cost 14 million." in model.messages[-3].content
    assert model.messages[-2] == Message("assistant", "It cost 14 million.")
    assert model.max_tokens == 2


@pytest.mark.parametrize(
    ("yes", "part", "support"),
    [
        (SUPPORTED, 0.0, Support.SUPPORTED),
        (SUPPORTED - 0.01, 1.0 - SUPPORTED, Support.PARTIAL),
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
    assert (model.max_tokens, model.options) == (1, (None, True, None))


def test_a_model_that_fails_fails_the_verdict() -> None:
    model = Model()
    model.error = ModelError("on fire")
    for act in (lambda: check(model, 1), lambda: relate(model)):
        with pytest.raises(ModelError, match="on fire"):
            act()
