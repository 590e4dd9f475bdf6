"""A pipeline with one broken step at a time must be caught, and the layer of that step be named."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evals.gate import GATED, Gate, gate, to_json, to_text
from evals.record import Item, Record
from evals.scoring import METRICS
from index.article import Article, Span
from tests.evals.handmade import NOTHING, QUESTIONS, Pipeline, record_of

KNOWN = tuple(question.id for question in QUESTIONS if question.answerable)
UNKNOWN = tuple(sorted(question.id for question in QUESTIONS if not question.answerable))

Found = Sequence[tuple[Article, Span]]


class WrongArticles(Pipeline):
    def retrieve(self, question: str) -> list[Article]:
        right = {article.id for article in super().retrieve(question)}
        return [article for article in self.articles.values() if article.id not in right][:3]


class WrongWords(Pipeline):
    def read(self, question: str, evidence: Found) -> str:
        return "It was much talked about."


class WrongOffsets(Pipeline):
    def cite(self, evidence: Found) -> tuple[Article, Span, str]:
        article, span, quote = super().cite(evidence)
        return article, Span(span.start + 1, span.end + 1), quote


class WrongSentence(Pipeline):
    def cite(self, evidence: Found) -> tuple[Article, Span, str]:
        article, _, _ = super().cite(evidence)
        start = article.text.index(NOTHING)
        return article, Span(start, start + len(NOTHING)), NOTHING


class Mute(Pipeline):
    def decline(self, question: str, evidence: Found) -> bool:
        return True


class Talker(Pipeline):
    def decline(self, question: str, evidence: Found) -> bool:
        return False


@pytest.fixture
def judge(tmp_path: Path) -> Callable[[Pipeline], Gate]:
    """The gate's decision about a pipeline, against a baseline of 16 questions asked of the whole one."""
    baseline = record_of(Pipeline(), tmp_path, "baseline")
    assert len(baseline.items) == 16
    return lambda pipeline: gate(baseline, record_of(pipeline, tmp_path, "candidate"))


def items_of(decision: Gate, metric: str) -> tuple[str, ...]:
    return next(each.items for each in decision.regressions if each.metric == metric)


def test_an_unchanged_pipeline_passes(judge: Callable[[Pipeline], Gate]) -> None:
    decision = judge(Pipeline())
    assert decision.passed
    assert (decision.layer, decision.regressions, decision.n, decision.changed) == (None, (), 16, {})


def test_a_broken_retriever_is_caught_at_retrieval(judge: Callable[[Pipeline], Gate]) -> None:
    decision = judge(WrongArticles())
    assert not decision.passed
    assert decision.layer == "retrieval"
    assert set(items_of(decision, "mrr@10")) == set(KNOWN)


def test_a_broken_reader_is_caught_at_the_answer(judge: Callable[[Pipeline], Gate]) -> None:
    decision = judge(WrongWords())
    assert not decision.passed
    assert decision.layer == "answer"
    assert [each.metric for each in decision.regressions] == ["right"]
    assert set(items_of(decision, "right")) == set(KNOWN)


@pytest.mark.parametrize(
    ("pipeline", "metric"), [(WrongOffsets(), "citation_exact"), (WrongSentence(), "citation_recall")]
)
def test_broken_citations_are_caught_at_the_citations(
    judge: Callable[[Pipeline], Gate], pipeline: Pipeline, metric: str
) -> None:
    decision = judge(pipeline)
    assert not decision.passed
    assert decision.layer == "citations"
    assert [each.metric for each in decision.regressions] == [metric]
    assert set(items_of(decision, metric)) == set(KNOWN)


@pytest.mark.parametrize(
    ("pipeline", "metric", "items"), [(Mute(), "false_refusal", KNOWN), (Talker(), "declined", UNKNOWN)]
)
def test_broken_refusal_is_caught_at_declining(
    judge: Callable[[Pipeline], Gate], pipeline: Pipeline, metric: str, items: tuple[str, ...]
) -> None:
    decision = judge(pipeline)
    assert not decision.passed
    assert decision.layer == "declining"
    assert set(items_of(decision, metric)) == set(items)


# By hand


def changed(record: Record, change: Callable[[Item], Item], ids: Sequence[str]) -> Record:
    items = tuple(change(item) if item.id in ids else item for item in record.items)
    return dataclasses.replace(record, name="changed", items=items)


def with_scores(**scores: float) -> Callable[[Item], Item]:
    return lambda item: dataclasses.replace(item, scores={**item.scores, **scores})


@pytest.fixture
def baseline(tmp_path: Path) -> Record:
    return record_of(Pipeline(), tmp_path, "baseline")


def test_one_question_that_went_wrong_is_no_regression(baseline: Record) -> None:
    assert gate(baseline, changed(baseline, with_scores(right=0.0), KNOWN[:1])).passed


def test_a_loss_is_supported_from_so_many_questions_on_that_chance_is_unlikely(baseline: Record) -> None:
    # Losses and no gains of one metric: 2⁻⁴ = .0625, 2⁻⁵ = .03125.
    assert gate(baseline, changed(baseline, with_scores(right=0.0), KNOWN[:4])).passed
    (regression,) = gate(baseline, changed(baseline, with_scores(right=0.0), KNOWN[:5])).regressions
    assert regression.p == pytest.approx(2**-5)
    assert (regression.baseline, regression.candidate) == (1.0, 11 / 16)
    assert regression.items == tuple(sorted(KNOWN[:5]))


def test_the_more_metrics_lose_the_more_each_has_to_lose(baseline: Record) -> None:
    # Two metrics that could be supported: 2 · 2⁻⁵ = .0625, 2 · 2⁻⁶ = .03125.
    scores = with_scores(right=0.0, citation_recall=0.0)
    assert gate(baseline, changed(baseline, scores, KNOWN[:5])).passed
    decision = gate(baseline, changed(baseline, scores, KNOWN[:6]))
    assert [(each.metric, each.p) for each in decision.regressions] == [
        ("right", pytest.approx(2**-5)),
        ("citation_recall", pytest.approx(2**-5)),
    ]


def test_a_gain_is_no_regression(baseline: Record) -> None:
    worse = changed(baseline, with_scores(right=0.0, false_refusal=1.0), KNOWN)
    assert not gate(baseline, worse).passed
    assert gate(worse, baseline).passed


def test_one_inexact_citation_fails(baseline: Record) -> None:
    decision = gate(baseline, changed(baseline, with_scores(citation_exact=0.5), KNOWN[2:3]))
    assert not decision.passed
    assert (decision.layer, items_of(decision, "citation_exact")) == ("citations", KNOWN[2:3])


def test_one_error_fails(baseline: Record) -> None:
    def fail(item: Item) -> Item:
        return dataclasses.replace(item, answer=None, scores={}, failure="error", error="ModelError: gone")

    decision = gate(baseline, changed(baseline, fail, KNOWN[:1]))
    assert (decision.layer, items_of(decision, "errors")) == ("error", KNOWN[:1])


def test_a_missing_question_fails_and_a_further_one_does_not(baseline: Record) -> None:
    fewer = dataclasses.replace(baseline, items=baseline.items[1:])
    decision = gate(baseline, fewer)
    assert (decision.layer, items_of(decision, "items")) == ("run", (baseline.items[0].id,))
    assert gate(fewer, baseline).passed


def test_a_question_in_other_words_is_missing(baseline: Record) -> None:
    other = changed(baseline, lambda item: dataclasses.replace(item, question="Something else?"), KNOWN[:1])
    assert items_of(gate(baseline, other), "items") == KNOWN[:1]


def test_time_and_opinions_are_not_gated(baseline: Record) -> None:
    slow = changed(baseline, with_scores(total_ms=1e6, first_word_ms=1e6, judged=0.0), (*KNOWN, *UNKNOWN))
    assert gate(changed(baseline, with_scores(judged=1.0), KNOWN), slow).passed
    assert not {name for name in GATED if METRICS[name].layer == "cost" or not METRICS[name].share}
    assert "judged" not in GATED


def test_what_a_baseline_is_too_small_to_see_is_said(baseline: Record) -> None:
    small = dataclasses.replace(baseline, items=baseline.items[:4])  # known ones only
    decision = gate(small, small)
    assert decision.passed
    assert set(decision.unseen) == set(GATED), "2⁻⁴ is above .05"
    assert "Too few questions to see a loss of: standalone_f1" in to_text(gate(baseline, baseline))


def test_what_was_changed_is_told_with_the_regression(baseline: Record) -> None:
    worse = changed(baseline, with_scores(right=0.0), KNOWN)
    decision = gate(baseline, dataclasses.replace(worse, prompts={"answer": "abc"}))
    text = to_text(decision)
    assert "Failed at n = 16; it begins at: answer." in text
    assert "right (answer): 1 → 0.5" in text
    assert "known-bridge" in text
    assert "changed prompts.answer: 0 → abc" in text


def test_the_json_of_a_decision_is_plain(judge: Callable[[Pipeline], Gate]) -> None:
    value: dict[str, Any] = json.loads(json.dumps(to_json(judge(Mute()))))
    assert (value["passed"], value["layer"], value["n"]) == (False, "declining", 16)
    assert set(value["regressions"][0]) == {"metric", "layer", "baseline", "candidate", "p", "items"}
