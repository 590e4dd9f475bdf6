"""Every expected value is worked by hand; the metrics themselves have tests of their own."""

from __future__ import annotations

from typing import Any

import pytest

from evals.gold import GoldQuestion, GoldSentence, Kind
from evals.scoring import LAYERS, METRICS, Scores, failure, score
from rag.types import Turn
from tests.evals.handmade import Words, question

TEXT = "It is old. The bridge cost 14 million euros. It rained."
GOLD = GoldSentence("a", 11, 44, TEXT[11:44])
BRIDGE = question(answers=("14 million",), must=(("euros",),), gold=(GOLD,), reference=GOLD.quote)
NOTHING = question(kind=Kind.UNANSWERABLE, answerable=False)
HITS = [{"article": "b"}, {"article": "a"}, {"article": "a"}]
EVIDENCE = [{"article": "a", "start": 0, "end": 10, "text": TEXT[:10]},
            {"article": "a", "start": 11, "end": 44, "text": TEXT[11:44]}]  # fmt: skip


def citation(start: int = 11, end: int = 44, quote: str = TEXT[11:44], article: str = "a") -> dict[str, Any]:
    return {"article": article, "start": start, "end": end, "quote": quote, "number": 1, "title": "T"}


def answer(*citations: dict[str, Any], text: str = TEXT[11:44], **fields: Any) -> dict[str, Any]:
    sentence = {"text": text, "support": "supported", "citations": list(citations)}
    return {
        "answer": text, "declined": False, "confidence": 0.9, "standalone": "Q?", "sentences": [sentence],
        "evidence": EVIDENCE, "usage": {"prompt_tokens": 90, "cached_tokens": 40, "completion_tokens": 7},
        "timings": {"retrieve_ms": 1.5, "evidence_ms": 2.5, "first_word_ms": None, "total_ms": 4.5},
    } | fields  # fmt: skip


DECLINED = answer(text="The articles do not say.", declined=True, sentences=[])


def scored(asked: GoldQuestion, said: dict[str, Any] | None, hits: Any = HITS) -> Scores:
    return score(asked, hits, said, lambda name: TEXT if name == "a" else "", Words())


def failed(asked: GoldQuestion, said: dict[str, Any] | None, hits: Any = HITS) -> str | None:
    return failure(asked, hits, said, scored(asked, said, hits).scores)


def test_every_layer_of_a_good_answer_is_measured() -> None:
    found = scored(BRIDGE, answer(citation()))
    expected = {
        "hit@1": 0.0, "hit@5": 1.0, "recall@5": 1.0, "recall@10": 1.0, "mrr@10": 0.5, "ndcg@10": 0.6309, "all@10": 1.0,
        "answer_in_evidence": 1.0, "evidence_recall": 1.0, "evidence_precision": 0.5, "evidence_tokens": 9.0,
        "right": 1.0, "contains": 1.0, "must": 1.0, "em": 0.0, "f1": 0.5714, "rouge_l": 1.0, "token_recall": 1.0,
        "similarity": 1.0, "citation_exact": 1.0, "citation_precision": 1.0, "citation_recall": 1.0, "supported": 1.0,
        "cited": 1.0, "false_refusal": 0.0, "prompt_tokens": 90.0, "cached_tokens": 40.0, "completion_tokens": 7.0,
        "retrieve_ms": 1.5, "evidence_ms": 2.5, "total_ms": 4.5,
    }  # fmt: skip
    assert found.scores == pytest.approx(expected, abs=1e-4)  # F1 of bridge cost 14 million euros / 14 million: 4/7
    assert list(found.scores) == [name for name in METRICS if name in expected]
    assert found.unscored == {}


def test_what_can_not_be_judged_is_unscored_with_its_reason() -> None:
    found = scored(question(), answer(citation()))
    assert set(found.scores) & {"right", "contains", "em", "f1", "hit@1", "evidence_recall", "rouge_l"} == set()
    assert found.unscored["right"] == "the question has neither gold answers nor must-have groups"
    assert "gold articles" in found.unscored["mrr@10"]
    assert "gold sentences" in found.unscored["citation_recall"]
    assert "reference" in found.unscored["rouge_l"]
    assert found.scores["citation_exact"] == 1.0


def test_what_does_not_apply_is_absent() -> None:
    found = scored(NOTHING, answer(citation()))
    absent = {"hit@1", "evidence_recall", "contains", "f1", "citation_recall", "false_refusal", "standalone_f1"}
    assert not absent & {*found.scores, *found.unscored}
    assert (found.scores["right"], found.scores["declined"]) == (0.0, 0.0)
    assert "first_word_ms" not in found.scores


def test_a_refusal_holds_no_answer_and_has_no_citations() -> None:
    # "The articles do not say." would share words with this gold.
    found = scored(question(answers=("say",), reference="The articles say so."), DECLINED)
    assert [found.scores[name] for name in ("right", "contains", "f1", "rouge_l", "similarity")] == [0.0] * 5
    assert found.scores["false_refusal"] == 1.0
    assert not {"citation_exact", "supported", "cited"} & {*found.scores, *found.unscored}


def test_a_right_reply_beside_declining_takes_a_question_out_of_declining() -> None:
    premise = question(kind=Kind.FALSE_PREMISE, answerable=False, must=(("never",),))
    assert "declined" not in scored(premise, DECLINED).scores
    assert scored(premise, DECLINED).scores["right"] == 1.0
    assert scored(premise, answer(text="It never closed.")).scores["right"] == 1.0
    assert scored(question(kind=Kind.FALSE_PREMISE, answerable=False), DECLINED).scores["declined"] == 1.0


@pytest.mark.parametrize(
    ("cited", "exact"),
    [
        ([citation()], 1.0),
        ([citation(quote="The bridge cost 15 million euros.")], 0.0),
        ([citation(start=12)], 0.0),
        ([citation(article="unknown")], 0.0),
        ([citation(), citation(start=12)], 0.5),
        ([citation(), citation(quote="something else")], 0.5),
        ([citation(), citation()], 1.0),
        ([citation(start=-1, end=500)], 0.0),
    ],
)
def test_a_citation_is_exact_or_not(cited: list[dict[str, Any]], exact: float) -> None:
    assert scored(BRIDGE, answer(*cited)).scores["citation_exact"] == exact


def test_an_answer_without_citations_has_none_to_be_exact() -> None:
    found = scored(BRIDGE, answer())
    assert found.unscored["citation_exact"] == "the answer cites nothing"
    assert (found.scores["citation_recall"], found.scores["cited"]) == (0.0, 0.0)


def test_a_follow_up_is_compared_with_its_gold_rewrite() -> None:
    history = (Turn("user", "There is a bridge?"),)
    asked = question(history=history, standalone="What did the bridge cost?", answers=("x",))
    # cost of bridge / what did bridge cost: 2 shared of 3 and 4 words.
    assert scored(asked, answer(standalone="the cost of the bridge")).scores["standalone_f1"] == pytest.approx(4 / 7)
    assert scored(question(history=history), answer()).unscored["standalone_f1"] == "the question has no gold rewrite"


def test_an_error_is_unscored_and_not_wrong() -> None:
    assert scored(BRIDGE, None) == Scores(
        {}, dict.fromkeys(("right", "false_refusal"), "the question ended with an error")
    )
    assert set(scored(NOTHING, None).unscored) == {"right", "declined"}


WRONG = answer(citation(), text="It was cheap.")
NO_GOLD = [{"article": "a", "start": 0, "end": 10, "text": TEXT[:10]}]


@pytest.mark.parametrize(
    ("asked", "said", "hits", "step"),
    [
        (BRIDGE, answer(citation()), HITS, None),
        (BRIDGE, None, HITS, "error"),
        (BRIDGE, WRONG, [{"article": "b"}], "retrieval"),
        (BRIDGE, answer(citation()), [{"article": "b"}], None),  # right all the same
        (BRIDGE, WRONG | {"evidence": NO_GOLD}, HITS, "evidence"),
        (BRIDGE, WRONG | {"evidence": []}, HITS, "evidence"),
        (BRIDGE, WRONG, HITS, "reading"),
        (BRIDGE, DECLINED, HITS, "declining"),
        (BRIDGE, DECLINED | {"evidence": NO_GOLD}, HITS, "evidence"),
        (BRIDGE, answer(citation(start=12)), HITS, "citing"),
        (BRIDGE, answer(citation(0, 10, TEXT[:10])), HITS, "citing"),
        (BRIDGE, answer(), HITS, "citing"),
        (question(answers=("14 million",)), answer(), HITS, None),  # no gold sentence that could be cited
        (question(), answer(citation()), HITS, None),  # can't be judged
        (question(), DECLINED, HITS, "declining"),  # a refusal can
        (question(), answer(citation(start=12)), HITS, "citing"),
        (NOTHING, DECLINED, HITS, None),
        (NOTHING, answer(citation()), HITS, "declining"),
        (NOTHING, None, HITS, "error"),
    ],
)
def test_a_failure_is_the_first_step_that_failed(asked: GoldQuestion, said: Any, hits: Any, step: str | None) -> None:
    assert failed(asked, said, hits) == step


def test_evidence_with_the_answer_in_another_sentence_is_not_what_failed() -> None:
    elsewhere = [{"article": "b", "start": 0, "end": 30, "text": "They paid 14 million euros."}]
    assert failed(BRIDGE, WRONG | {"evidence": elsewhere}) == "reading"


def test_the_registry_holds_every_layer_once() -> None:
    assert LAYERS == ("retrieval", "evidence", "answer", "citations", "declining", "conversation", "cost")
    assert all(name == metric.name for name, metric in METRICS.items())
    assert {name for name, metric in METRICS.items() if not metric.share} == {
        "evidence_tokens", "prompt_tokens", "cached_tokens", "completion_tokens", "retrieve_ms", "evidence_ms",
        "first_word_ms", "total_ms",
    }  # fmt: skip
