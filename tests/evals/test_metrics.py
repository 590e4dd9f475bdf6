"""Expected values are worked by hand; random data is judged by other people's implementations as well."""

from __future__ import annotations

import math
import random
import re
import string
from collections import Counter
from collections.abc import Callable
from typing import Any

import ir_measures
import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer
from sklearn.calibration import calibration_curve
from sklearn.metrics import auc, precision_recall_curve
from sklearn.metrics.pairwise import cosine_similarity

from evals.gold import GoldQuestion, GoldSentence, Kind
from evals.metrics import (
    Bin,
    Passage,
    all_at,
    answer_in_evidence,
    area_under_roc,
    calibration,
    citation_exact,
    contains,
    exact_match,
    f1,
    gold_precision,
    gold_recall,
    hit_at,
    is_right,
    must_have,
    ndcg_at,
    normalise,
    recall_at,
    reciprocal_rank,
    risk_coverage,
    rouge_l,
    similarity,
    token_recall,
)


def question(**fields: Any) -> GoldQuestion:
    values = {
        "id": "q",
        "kind": Kind.FACT,
        "question": "Q?",
        "history": (),
        "asked": "",
        "answerable": True,
        "answers": (),
        "must": (),
        "gold": (),
        "tags": (),
    }
    return GoldQuestion(**values | fields)


def test_normalising_drops_case_articles_and_punctuation() -> None:
    assert normalise("The  U.S.-led “An Act”, x_b!") == "u s led act x b"
    assert normalise("Theatre and another") == "theatre and another"


@pytest.mark.parametrize(
    ("answer", "gold", "held"),
    [
        ("It was on 16 April.", "16 April", True),
        ("It was on the 16th of April.", "16 April", False),
        ("It cost 150 rupees.", "15", False),
        ("It cost 15 rupees.", "15", True),
        ("General Khan spoke.", "the General", True),
        ("It met for the 15th time.", "15th", True),
        ("", "x", False),
        ("", "A", False),  # nothing is left of it, and nothing stands in everything
        ("It is vitamin A.", "…", False),
    ],
)
def test_an_answer_contains_whole_words(answer: str, gold: str, held: bool) -> None:
    assert contains(answer, gold) is held


@pytest.mark.parametrize(
    ("fields", "answer", "declined", "right"),
    [
        ({"answers": ("2007", "two thousand seven")}, "In 2007.", False, True),
        ({"answers": ("2007",)}, "In 2008.", False, False),
        ({"answers": ("2007",)}, "In 2007.", True, False),
        ({"must": (("ports", "port"), ("China",))}, "A port of China.", False, True),
        ({"must": (("ports", "port"), ("China",))}, "A port.", False, False),
        ({"answers": ("2007",), "must": (("China",),)}, "In 2007.", False, False),
        ({"answers": ("2007",), "must": (("China",),)}, "In 2007, China.", False, True),
        ({"kind": Kind.UNANSWERABLE, "answerable": False}, "In 2007.", False, False),
        ({"kind": Kind.UNANSWERABLE, "answerable": False}, "The articles do not say.", True, True),
        (
            {"kind": Kind.FALSE_PREMISE, "answerable": False, "must": (("not closed",),)},
            "It was not closed.",
            False,
            True,
        ),
        ({"kind": Kind.FALSE_PREMISE, "answerable": False, "must": (("not closed",),)}, "It was closed.", False, False),
        ({"kind": Kind.FALSE_PREMISE, "answerable": False, "must": (("not closed",),)}, "", True, True),
        ({"kind": Kind.FALSE_PREMISE, "answerable": False}, "Whatever.", False, False),
    ],
)
def test_what_is_right(fields: dict[str, Any], answer: str, declined: bool, right: bool) -> None:
    assert is_right(question(**fields), answer, declined) is right


@pytest.mark.parametrize(
    ("ranked", "gold", "value"),
    [
        (["a", "b", "c"], {"a"}, 1.0),
        (["a", "b", "c"], {"c"}, 1 / 3),
        (["a", "b", "c"], {"b", "c"}, 0.5),
        (["a"], {"z"}, 0.0),
        ([], {"a"}, 0.0),
        ([*"abcdefghij", "k"], {"k"}, 0.0),
        ([*"abcdefghij"], {"j"}, 0.1),
    ],
)
def test_the_reciprocal_rank_of_the_first_gold_article(ranked: list[str], gold: set[str], value: float) -> None:
    assert reciprocal_rank(ranked, gold) == pytest.approx(value)


def test_a_hit_is_some_gold_among_the_first() -> None:
    assert hit_at(["a", "b"], {"b"}, 1) == 0.0
    assert hit_at(["a", "b"], {"b"}, 2) == 1.0
    assert hit_at([], {"b"}, 3) == 0.0


@pytest.mark.parametrize(
    ("ranked", "gold", "k", "value"),
    [
        ("abcd", "bdz", 1, 0.0),
        ("abcd", "bdz", 2, 1 / 2),  # no more than two fit
        ("abcd", "bdz", 4, 2 / 3),
        ("abcd", "bdz", 10, 2 / 3),
        ("", "a", 5, 0.0),
    ],
)
def test_recall_is_of_as_many_gold_articles_as_fit(ranked: str, gold: str, k: int, value: float) -> None:
    assert recall_at(ranked, gold, k) == pytest.approx(value)


@pytest.mark.parametrize(
    ("ranked", "gold", "k", "value"),
    [
        ("abc", "ac", 3, 0.919721),  # (1 + 1/2) / (1 + 0.630930)
        ("abc", "b", 3, 0.630930),  # 1 / log₂ 3
        ("bxa", "abc", 2, 0.613147),  # 1 / (1 + 0.630930): only two of three fit
        ("abc", "abc", 3, 1.0),
        ("abc", "z", 3, 0.0),
    ],
)
def test_ndcg_discounts_what_stands_low(ranked: str, gold: str, k: int, value: float) -> None:
    assert ndcg_at(ranked, gold, k) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("gold", "k", "value"), [("ab", 2, 1.0), ("ac", 2, 0.0), ("ac", 3, 1.0), ("az", 9, 0.0), ("abc", 2, 0.0)]
)
def test_all_means_every_gold_article(gold: str, k: int, value: float) -> None:
    assert all_at("abc", gold, k) == value


def test_a_repeated_article_counts_where_it_first_stands() -> None:
    ranked = ["a", "a", "b", "a", "c"]
    assert hit_at(ranked, ["b"], 2) == 1.0
    assert reciprocal_rank(ranked, ["b"]) == 1 / 2
    assert recall_at(ranked, ["b", "c", "b"], 3) == 1.0
    assert all_at(ranked, ["b", "c", "b"], 3) == 1.0
    assert ndcg_at(ranked, ["a", "b"], 2) == 1.0
    assert ndcg_at(ranked, ["a", "z"], 5) == pytest.approx(0.613147, abs=1e-6)  # a is found once


@pytest.mark.parametrize("metric", [hit_at, all_at, recall_at, ndcg_at, reciprocal_rank])
def test_a_ranking_without_gold_is_not_judged(metric: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match="no gold articles"):
        metric(["a"], [], 5)


def test_ranking_agrees_with_trec_eval() -> None:
    dice = random.Random(1)
    names = [f"d{n}" for n in range(30)]
    rankings = {f"q{n}": dice.sample(names, dice.randint(1, 25)) for n in range(300)}
    golds = {query: dice.sample(names, dice.randint(1, 12)) for query in rankings}
    run = [
        ir_measures.ScoredDoc(query, article, -float(rank))
        for query, ranked in rankings.items()
        for rank, article in enumerate(ranked)
    ]
    qrels = [ir_measures.Qrel(query, article, 1) for query, gold in golds.items() for article in gold]
    names_of = ("Success@1", "Success@5", "R@5", "R@10", "RR@10", "nDCG@5", "nDCG@10")
    measures = [ir_measures.parse_measure(name) for name in names_of]
    compared = 0
    for metric in ir_measures.iter_calc(measures, qrels, run):
        ranked, gold = rankings[metric.query_id], golds[metric.query_id]
        kind, k = str(metric.measure).split("@")
        ours = {
            "Success": hit_at,
            "RR": reciprocal_rank,
            "nDCG": ndcg_at,
            # Theirs is of all gold articles, also where they don't fit.
            "R": lambda ranked, gold, k: recall_at(ranked, gold, k) * min(len(gold), k) / len(gold),
        }[kind](ranked, gold, int(k))
        assert ours == pytest.approx(metric.value, abs=1e-6), (metric, ranked, gold)
        if kind == "R":
            assert all_at(ranked, gold, int(k)) == float(metric.value == 1.0)
        compared += 1
    assert compared == len(measures) * len(rankings)


GOLD = [GoldSentence("a", 10, 20, "x" * 10), GoldSentence("a", 30, 40, "x" * 10), GoldSentence("b", 10, 20, "x" * 10)]


@pytest.mark.parametrize(
    ("passages", "recall", "precision"),
    [
        ([Passage("a", 10, 20)], 1 / 3, 1.0),
        ([Passage("a", 19, 31)], 2 / 3, 1.0),
        ([Passage("a", 20, 30)], 0.0, 0.0),  # half open: it touches both and overlaps neither
        ([Passage("a", 0, 5), Passage("b", 0, 50)], 1 / 3, 0.5),
        ([Passage("a", 0, 50), Passage("b", 0, 50)], 1.0, 1.0),
        ([Passage("c", 10, 20)], 0.0, 0.0),
    ],
)
def test_passages_count_by_overlap_in_the_same_article(
    passages: list[Passage], recall: float, precision: float
) -> None:
    assert gold_recall(passages, GOLD) == pytest.approx(recall)
    assert gold_precision(passages, GOLD) == pytest.approx(precision)


def test_nothing_retrieved_recalls_nothing() -> None:
    assert gold_recall([], GOLD) == 0.0


def test_without_gold_sentences_or_passages_there_is_nothing_to_judge() -> None:
    for metric in (gold_recall, gold_precision):
        with pytest.raises(ValueError, match="no gold sentences"):
            metric([Passage("a", 0, 5)], [])
    with pytest.raises(ValueError, match="no passages"):
        gold_precision([], GOLD)


@pytest.mark.parametrize(
    ("answers", "must", "value"),
    [
        (["2007", "two thousand seven"], [], 1.0),
        (["2008"], [], 0.0),
        (["port 2007"], [], 0.0),  # not across two sentences
        (["opened"], [["Gwadar", "port"], ["2007"]], 1.0),
        (["opened"], [["Gwadar"], ["2007"]], 0.0),
        ([], [["port"], ["2007"]], 1.0),
    ],
)
def test_evidence_holds_the_answer(answers: list[str], must: list[list[str]], value: float) -> None:
    assert answer_in_evidence(["It opened the port.", "2007 was the year."], answers, must) == value


def test_no_evidence_holds_no_answer() -> None:
    assert answer_in_evidence([], ["2007"], []) == 0.0
    with pytest.raises(ValueError, match="neither gold answers nor must-have groups"):
        answer_in_evidence(["It opened."], [], [])


@pytest.mark.parametrize(
    ("quote", "start", "end", "value"),
    [
        ("port", 4, 8, 1.0),
        ("Port", 4, 8, 0.0),
        ("port ", 4, 8, 0.0),
        ("port", 5, 9, 0.0),
        ("The port.", 0, 9, 1.0),
        ("The port.", 0, 10, 0.0),  # past the end
        ("port", -5, -1, 0.0),  # Python would count from the end
        ("", 4, 4, 0.0),  # no quotation at all
    ],
)
def test_a_citation_is_the_text_at_its_offsets(quote: str, start: int, end: int, value: float) -> None:
    assert citation_exact(quote, "The port.", start, end) == value


def test_must_have_groups_are_counted() -> None:
    groups = [["port", "ports"], ["China"], ["2007"], ["naval base"]]
    assert must_have("Ports, of China.", groups) == 1 / 2
    assert must_have("", groups) == 0.0
    with pytest.raises(ValueError, match="no must-have groups"):
        must_have("Ports", [])


@pytest.mark.parametrize(
    ("answer", "golds", "exact", "value"),
    [
        ("The Eiffel Tower!", ["Eiffel  tower"], 1.0, 1.0),
        ("the U.S.", ["US"], 1.0, 1.0),
        ("16-April", ["16 April"], 0.0, 0.0),  # punctuation is deleted, so this is one word
        ("the cat sat on the mat", ["a cat on mat"], 0.0, 6 / 7),  # 3 of 4 and 3 of 3
        ("to to to", ["to be"], 0.0, 2 / 5),  # one "to": 1 of 3 and 1 of 2
        ("in 2007", ["2008", "2007", "in the year 2007"], 0.0, 4 / 5),  # 2 of 2 and 2 of 3
        ("2007", ["2008", "2007"], 1.0, 1.0),
        ("", ["2007"], 0.0, 0.0),
        ("the", ["a"], 1.0, 0.0),  # as the official script has it
    ],
)
def test_exact_match_and_f1_by_squads_rules(answer: str, golds: list[str], exact: float, value: float) -> None:
    assert exact_match(answer, golds) == exact
    assert f1(answer, golds) == pytest.approx(value)


@pytest.mark.parametrize("metric", [exact_match, f1])
def test_without_gold_answers_there_is_nothing_to_match(metric: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match="no gold answers"):
        metric("2007", [])


WORDS = ["the", "The", "an", "A", "U.S.", "don't", "Mr.", "2007,", "16-April", "harbour", "harbours", "opened", "in"]
WORDS += ["“quoted”", "an_act", "naïve", "\u00a0", "\n", "—", "%", "café", "…", "İzmir", "北京"]


def some_text(dice: random.Random, most: int = 12) -> str:
    return " ".join(dice.choices(WORDS, k=dice.randint(0, most)))


def test_exact_match_and_f1_agree_with_squads_official_script() -> None:
    dice = random.Random(2)
    for _ in range(1000):
        answer, golds = some_text(dice), [some_text(dice) for _ in range(dice.randint(1, 4))]
        assert exact_match(answer, golds) == max(squad_exact_match_score(answer, gold) for gold in golds)
        assert f1(answer, golds) == pytest.approx(max(squad_f1_score(answer, gold) for gold in golds))


def squad_normalize_answer(s: str) -> str:
    """This and the next two are evaluate-v1.1.py of SQuAD, in its own order of steps."""
    exclude = set(string.punctuation)
    without_punctuation = "".join(ch for ch in s.lower() if ch not in exclude)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", without_punctuation).split())


def squad_f1_score(prediction: str, ground_truth: str) -> float:
    prediction_tokens = squad_normalize_answer(prediction).split()
    ground_truth_tokens = squad_normalize_answer(ground_truth).split()
    common = Counter(prediction_tokens) & Counter(ground_truth_tokens)
    num_same = sum(common.values())
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(prediction_tokens)
    recall = 1.0 * num_same / len(ground_truth_tokens)
    return (2 * precision * recall) / (precision + recall)


def squad_exact_match_score(prediction: str, ground_truth: str) -> bool:
    return squad_normalize_answer(prediction) == squad_normalize_answer(ground_truth)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("The harbours opened in 2007.", 4 / 5),  # the · harbour · open · 2007, in order, of five and five
        ("2007 opened harbour the", 2 / 9),  # one word in order, of four and five
        ("The harbour was opened, 2007", 1.0),
        ("", 0.0),
    ],
)
def test_rouge_l_is_the_longest_common_subsequence_of_stems(answer: str, value: float) -> None:
    assert rouge_l(answer, "the harbour was opened 2007") == pytest.approx(value)


def test_rouge_l_agrees_with_the_package_and_with_plain_subsequences() -> None:
    dice = random.Random(3)
    scorer, plain = RougeScorer(["rougeL"], use_stemmer=True), 0
    for _ in range(300):
        answer, reference = some_text(dice), f"2007 {some_text(dice)}"
        assert rouge_l(answer, reference) == scorer.score(reference, answer)["rougeL"].fmeasure
    for _ in range(300):
        first, second = ("".join(dice.choices("xyz", k=dice.randint(1, 9))) for _ in range(2))
        common = longest_common_subsequence(first, second)
        assert rouge_l(" ".join(first), " ".join(second)) == pytest.approx(2 * common / (len(first) + len(second)))
        plain += common > 1
    assert plain > 100


def longest_common_subsequence(first: str, second: str) -> int:
    if not first or not second:
        return 0
    if first[-1] == second[-1]:
        return longest_common_subsequence(first[:-1], second[:-1]) + 1
    return max(longest_common_subsequence(first[:-1], second), longest_common_subsequence(first, second[:-1]))


def test_a_reference_without_words_is_not_judged() -> None:
    for reference in ("", "…", "北京"):  # ROUGE makes no words of Chinese
        with pytest.raises(ValueError, match="no words that ROUGE counts"):
            rouge_l("2007", reference)
    for reference in ("", "…", "The a."):
        with pytest.raises(ValueError, match="no words"):
            token_recall("2007", reference)


def test_token_recall_counts_a_word_as_often_as_the_reference_has_it() -> None:
    # Wanted two ×2, ships, and, boats: one "two" is missing, the second "boats" gains nothing.
    assert token_recall("Two boats, the boats, and ships!", "two ships and two boats") == 4 / 5
    assert token_recall("", "two ships") == 0.0


def test_similarity_is_the_cosine() -> None:
    assert similarity([3, 4], [4, 3]) == pytest.approx(24 / 25)
    assert similarity([3, 4], [30, 40]) == 1.0
    assert similarity([1, 0], [-2, 0]) == -1.0
    with pytest.raises(ValueError, match="no direction"):
        similarity([0, 0], [1, 0])
    with pytest.raises(ValueError, match="size"):
        similarity([1, 0, 0], [1, 0])


def test_similarity_agrees_with_scikit_learn() -> None:
    vectors = np.random.default_rng(4).normal(size=(40, 384)).astype(np.float32)
    ours = [[similarity(a, b) for b in vectors] for a in vectors]
    assert np.allclose(ours, cosine_similarity(vectors), atol=1e-6)
    assert np.max(ours) <= 1.0


def test_risk_by_coverage() -> None:
    # Surest first: right, wrong, right, right. Area (0 + 1/2 + 1/3 + 1/4) / 4.
    result = risk_coverage([0.6, 0.9, 0.7, 0.8], [1, 1, 1, 0])
    assert result.coverage == (0.25, 0.5, 0.75, 1.0)
    assert result.risk == pytest.approx((0, 1 / 2, 1 / 3, 1 / 4))
    assert result.area == pytest.approx(13 / 48)


@pytest.mark.parametrize("right", [[1, 0, 1, 0], [1, 1, 0, 0]])
def test_equal_confidences_are_one_step_whatever_their_order(right: list[float]) -> None:
    # Given 1, then 3, then 4. Area ½ · ⅓ + ¼ · ½.
    result = risk_coverage([0.9, 0.5, 0.5, 0.1], right)
    assert result.coverage == (0.25, 0.75, 1.0)
    assert result.risk == pytest.approx((0, 1 / 3, 1 / 2))
    assert result.area == pytest.approx(7 / 24)


def test_one_confidence_for_all_saves_nothing() -> None:
    result = risk_coverage([0.5] * 4, [1, 0, 0, 1])
    assert (result.coverage, result.risk, result.area) == ((1.0,), (0.5,), 0.5)


def test_risk_coverage_agrees_with_scikit_learn() -> None:
    dice = np.random.default_rng(5)
    for _ in range(200):
        n = int(dice.integers(1, 60))
        confidences = np.round(dice.random(n), int(dice.integers(1, 4)))
        right = dice.integers(0, 2, n)
        right[0] = 1  # scikit-learn warns where nothing is right
        ours = risk_coverage(confidences.tolist(), right.tolist())
        precision, _, thresholds = precision_recall_curve(right, confidences)
        risk = 1 - precision[:-1][::-1]  # theirs starts with the lowest threshold and adds an end
        coverage = [np.mean(confidences >= threshold) for threshold in thresholds[::-1]]
        assert ours.coverage == pytest.approx(coverage)
        assert ours.risk == pytest.approx(risk)
        assert ours.area == pytest.approx(auc(np.repeat([0, *coverage], 2)[1:-1], np.repeat(risk, 2)))


def test_calibration_compares_confidence_with_what_is_right() -> None:
    result = calibration([0.95, 0.85, 0.87, 0.15], [1, 1, 0, 0])
    assert result.bins == (
        Bin(0.1, 0.2, 1, 0.15, 0.0),
        Bin(0.8, 0.9, 2, pytest.approx(0.86), 0.5),
        Bin(0.9, 1.0, 1, 0.95, 1.0),
    )
    assert result.error == pytest.approx((0.15 + 2 * 0.36 + 0.05) / 4)


def test_a_bin_holds_its_lower_edge_and_the_last_one_certainty() -> None:
    edges = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    result = calibration([*edges, 1.0], [1] * 11)
    assert [(each.low, each.n) for each in result.bins] == [(edge, 1) for edge in edges[:-1]] + [(0.9, 2)]
    assert [(each.low, each.high) for each in calibration([0.2, 0.7], [1, 1], bins=2).bins] == [(0.0, 0.5), (0.5, 1.0)]


def test_calibration_agrees_with_scikit_learn() -> None:
    dice = np.random.default_rng(6)
    for _ in range(200):
        n, bins = int(dice.integers(2, 80)), int(dice.integers(2, 15))
        confidences, right = dice.random(n), dice.integers(0, 2, n)
        right[:2] = 0, 1  # scikit-learn wants both
        ours = calibration(confidences.tolist(), right.tolist(), bins)
        true, said = calibration_curve(right, confidences, n_bins=bins)
        counts = np.histogram(confidences, bins, (0, 1))[0]
        counts = counts[counts > 0]
        assert [each.n for each in ours.bins] == counts.tolist()
        assert [each.right for each in ours.bins] == pytest.approx(true)
        assert [each.confidence for each in ours.bins] == pytest.approx(said)
        assert ours.error == pytest.approx(np.sum(counts * np.abs(true - said)) / n)


@pytest.mark.parametrize("curve", [risk_coverage, calibration])
def test_a_run_of_no_answers_has_no_curve(curve: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="shorter"):
        curve([0.5], [])
    result = curve([], [])
    assert math.isnan(result.area if curve is risk_coverage else result.error)


def test_shuffled_answers_give_the_same_curves_to_the_last_bit() -> None:
    dice = random.Random(7)
    answers = [(round(dice.random(), 2), dice.random()) for _ in range(200)]
    shuffled = dice.sample(answers, len(answers))
    for curve in (risk_coverage, calibration):
        assert curve(*zip(*answers, strict=True)) == curve(*zip(*shuffled, strict=True))


def test_area_under_the_roc_curve_by_hand() -> None:
    scores, positive = np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, False, True, False])
    assert area_under_roc(scores, positive) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert area_under_roc(scores, np.array([True] * 4)) == 0.5
