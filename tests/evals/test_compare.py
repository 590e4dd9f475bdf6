from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.compare import Comparison, Difference, adjusted, compare, to_json, to_text
from evals.record import Record
from index.errors import GoldError
from tests.evals.handmade import QUESTIONS, Pipeline, record_of
from tests.evals.test_gate import KNOWN, UNKNOWN, Mute, Talker, changed, with_scores


@pytest.fixture
def before(tmp_path: Path) -> Record:
    return record_of(Pipeline(), tmp_path, "before")


def of(comparison: Comparison, metric: str) -> Difference:
    return next(each for each in comparison.differences if each.metric == metric)


def test_a_run_does_not_differ_from_itself(before: Record) -> None:
    found = compare(before, before)
    assert (found.n, found.changed, found.flips) == (16, {}, ())
    assert found.verdict == "no evidence of a difference at n = 16"
    assert all((each.difference, each.p, each.better) == (0.0, 1.0, None) for each in found.differences)


def test_what_got_better_is_said_with_its_p_and_n(before: Record) -> None:
    worse = changed(before, with_scores(citation_recall=0.0), KNOWN)
    found = compare(worse, before)
    # McNemar: 8 gains, no loss: 2 · 2⁻⁸ = .0078; no other metric differs, so there is nothing to correct for.
    difference = of(found, "citation_recall")
    assert (difference.a, difference.b, difference.difference, difference.n) == (0.0, 1.0, 1.0, 8)
    assert (difference.test, difference.p, difference.better) == ("McNemar", pytest.approx(2**-7), "b")
    assert found.verdict == (
        "B is better on gold sentences cited (p = .008); no evidence of a difference elsewhere at n = 16"
    )


def test_ps_are_corrected_for_the_metrics_that_could_differ() -> None:
    same, few, many = ([1.0] * 9, [1.0] * 9), ([1.0] * 9, [0.0] * 4 + [1.0] * 5), ([1.0] * 9, [0.0] * 8 + [1.0])
    # Four differing questions can't give less than 2 · 2⁻⁴ = .125; eight can give .0078. Two such: Holm doubles.
    ps = adjusted(
        {"same": 1.0, "few": 0.125, "x": 0.0078, "y": 0.02}, {"same": same, "few": few, "x": many, "y": many}, tails=2
    )
    assert ps == pytest.approx({"same": 1.0, "few": 0.125, "x": 0.0156, "y": 0.02})


def test_a_verdict_names_both_directions(before: Record, tmp_path: Path) -> None:
    questions = [dataclasses.replace(q, id=f"{q.id}-{n}") for n in range(3) for q in QUESTIONS]
    mute, talker = (record_of(p, tmp_path, n, questions) for p, n in ((Mute(), "mute"), (Talker(), "talker")))
    found = compare(mute, talker)
    assert found.n == 48
    assert found.verdict.startswith("B is better on ")
    assert "answerable questions refused (p < .001)" in found.verdict
    assert "; B is worse on " in found.verdict
    assert "unanswerable questions declined (p < .001)" in found.verdict
    assert found.verdict.endswith("; no evidence of a difference elsewhere at n = 48")
    assert (of(found, "false_refusal").better, of(found, "declined").better) == ("b", "a")


def test_fractions_are_tested_by_permutation(before: Record) -> None:
    found = compare(before, changed(before, with_scores(citation_recall=0.5), KNOWN[:3]))
    difference = of(found, "citation_recall")
    assert difference.test == "permutation"
    assert difference.difference == pytest.approx(-1.5 / 8)
    assert difference.low <= difference.difference <= difference.high < 0.01


def test_only_questions_that_both_have_scores_of_are_compared(before: Record) -> None:
    def drop(item: Any) -> Any:
        return dataclasses.replace(item, scores={k: v for k, v in item.scores.items() if k != "right"})

    found = compare(before, changed(before, drop, KNOWN[:2]))
    assert of(found, "right").n == 14
    assert found.n == 16


def test_items_are_joined_by_id_in_whatever_order(before: Record) -> None:
    backwards = dataclasses.replace(before, items=before.items[::-1])
    assert compare(before, backwards) == compare(before, before)


def test_a_question_in_other_words_is_not_the_same(before: Record) -> None:
    other = changed(before, lambda item: dataclasses.replace(item, question="Else?"), KNOWN[:1])
    assert compare(before, other).n == 15


def test_flips_show_both_items(before: Record, tmp_path: Path) -> None:
    found = compare(before, record_of(Talker(), tmp_path, "talker"))
    assert tuple(flip.id for flip in found.flips) == UNKNOWN
    assert (found.flips[0].a.failure, found.flips[0].b.failure) == (None, "declining")


def test_an_error_flips_what_was_right(before: Record) -> None:
    fail = lambda item: dataclasses.replace(item, answer=None, scores={}, error="ModelError: gone")  # noqa: E731
    found = compare(before, changed(before, fail, KNOWN[:1]))
    assert [flip.id for flip in found.flips] == [KNOWN[0]]
    assert "B wrong: ModelError: gone" in to_text(found)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"prompts": {"answer": "1"}}, "prompts.answer"),
        ({"settings": {"evidence_tokens": 600}}, "settings.evidence_tokens"),
        ({"models": {"llm": "x", "llm_digest": "", "embedder": "words"}}, "models.llm"),
        ({"versions": {"torch": "0"}}, "versions.torch"),
        ({"code": "abc"}, "code"),
        ({"judge": {"model": "m", "prompt": "p"}}, "judge.model"),
    ],
)
def test_what_was_changed_is_named(before: Record, fields: dict[str, Any], name: str) -> None:
    found = compare(before, dataclasses.replace(before, **fields)).changed
    assert name in found
    assert found[name][0] != found[name][1]
    assert {each.split(".")[0] for each in found} == set(fields)


def test_runs_without_a_common_question_can_not_be_compared(before: Record) -> None:
    with pytest.raises(GoldError, match="before and empty have no question in common"):
        compare(before, dataclasses.replace(before, name="empty", items=()))


def test_a_single_pair_has_no_interval_and_its_json_is_still_json(before: Record) -> None:
    one = dataclasses.replace(before, items=before.items[:1])
    value = json.loads(json.dumps(to_json(compare(one, one)), allow_nan=False))
    assert value["differences"][0]["low"] is None
    assert "–" in to_text(compare(one, one))


def test_the_text_tells_verdict_changes_table_and_flips(before: Record, tmp_path: Path) -> None:
    talker = dataclasses.replace(record_of(Talker(), tmp_path, "talker"), prompts={"answer": "abc"})
    text = to_text(compare(before, talker))
    lines = text.splitlines()
    assert lines[:2] == ["A before", "B talker"]
    assert "  prompts.answer: 0 → abc" in lines
    assert next(line for line in lines if line.startswith("declined")).split()[1:4] == ["8", "1.000", "0.000"]
    assert "8 flipped" in lines
    assert "    A right: None of the articles says that." in lines


def test_a_comparison_is_the_same_every_time(before: Record, tmp_path: Path) -> None:
    make: Callable[[], Comparison] = lambda: compare(before, changed(before, with_scores(f1=0.1), KNOWN[:5]))  # noqa: E731
    assert make() == make()
