"""One answer → its scores by layer, and the step at which it failed. The registry of all metrics.

Knows questions, hits and answers in the shape of the run record (`Answer.to_json()`); knows nothing of runs and files.
What can't be judged is unscored with its reason, never right or wrong by default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from evals import metrics
from evals.gold import GoldQuestion
from evals.metrics import Passage


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric is called and which way is better; `share` says that it lies between 0 and 1."""

    name: str
    layer: str
    label: str
    better: Literal["higher", "lower"] = "higher"
    share: bool = True


_ALL = (
    Metric("hit@1", "retrieval", "a gold article first"),
    Metric("hit@5", "retrieval", "a gold article among the first 5"),
    Metric("recall@5", "retrieval", "gold articles among the first 5"),
    Metric("recall@10", "retrieval", "gold articles among the first 10"),
    Metric("mrr@10", "retrieval", "reciprocal rank of the first gold article"),
    Metric("ndcg@10", "retrieval", "nDCG of the first 10"),
    Metric("all@10", "retrieval", "all gold articles among the first 10"),
    Metric("answer_in_evidence", "evidence", "a gold answer in the evidence"),
    Metric("evidence_recall", "evidence", "gold sentences in the evidence"),
    Metric("evidence_precision", "evidence", "evidence that is gold"),
    Metric("evidence_tokens", "evidence", "word pieces of evidence", "lower", share=False),
    Metric("right", "answer", "right"),
    Metric("contains", "answer", "contains a gold answer"),
    Metric("must", "answer", "must-have groups held"),
    Metric("em", "answer", "is a gold answer, word for word"),
    Metric("f1", "answer", "F1 against the best gold answer"),
    Metric("rouge_l", "answer", "ROUGE-L against the reference"),
    Metric("token_recall", "answer", "words of the reference held"),
    Metric("similarity", "answer", "similarity to the reference"),
    Metric("judged", "answer", "right in the eyes of the LLM judge"),
    Metric("citation_exact", "citations", "citations that are the article's text at their offsets"),
    Metric("citation_precision", "citations", "citations that are gold"),
    Metric("citation_recall", "citations", "gold sentences cited"),
    Metric("supported", "citations", "sentences that their evidence carries, by our own check"),
    Metric("cited", "citations", "sentences with a citation"),
    Metric("declined", "declining", "unanswerable questions declined"),
    Metric("false_refusal", "declining", "answerable questions refused", "lower"),
    Metric("standalone_f1", "conversation", "F1 of a follow-up's rewrite"),
    Metric("prompt_tokens", "cost", "tokens of the prompt", "lower", share=False),
    Metric("cached_tokens", "cost", "of them read before", "higher", share=False),
    Metric("completion_tokens", "cost", "tokens of the answer", "lower", share=False),
    Metric("retrieve_ms", "cost", "ms to the hits", "lower", share=False),
    Metric("evidence_ms", "cost", "ms to the evidence", "lower", share=False),
    Metric("first_word_ms", "cost", "ms to the first word", "lower", share=False),
    Metric("total_ms", "cost", "ms to the whole answer", "lower", share=False),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
LAYERS: tuple[str, ...] = tuple(dict.fromkeys(metric.layer for metric in _ALL))

_USAGE = ("prompt_tokens", "cached_tokens", "completion_tokens")
_TIMINGS = ("retrieve_ms", "evidence_ms", "first_word_ms", "total_ms")
_Mark = float | str  # a score, or the reason why there is none


class Embedding(Protocol):
    """As much of `index.embedding.Embedder` as scoring needs."""

    def query(self, text: str) -> npt.NDArray[np.float32]: ...

    def piece_offsets(self, text: str) -> list[tuple[int, int]]: ...


@dataclass(frozen=True, slots=True)
class Scores:
    """Metric → value, and metric → why it could not be judged; what does not apply is in neither."""

    scores: dict[str, float]
    unscored: dict[str, str]


def score(
    question: GoldQuestion,
    hits: Sequence[Mapping[str, Any]],
    answer: Mapping[str, Any] | None,
    article_text: Callable[[str], str],
    embedder: Embedding,
) -> Scores:
    """Everything that can be measured of one answer.

    Args:
        hits: ranked chunks, best first, each with its `article`.
        answer: as `Answer.to_json()` gives it; None if the question ended with an error.
        article_text: the text of an article by its id, "" for an unknown one.
    """
    if answer is None:
        names = ("right", "false_refusal" if question.answerable else "declined")
        return Scores({}, dict.fromkeys(names, "the question ended with an error"))
    marks = {
        **_retrieval(question, hits),
        **_evidence(question, answer, embedder),
        **_said(question, answer, embedder),
        **_citations(question, answer, article_text),
        **_declining(question, answer),
        **_conversation(question, answer),
        **_cost(answer),
    }
    return Scores(
        {name: mark for name in METRICS if isinstance(mark := marks.get(name), float)},
        {name: mark for name in METRICS if isinstance(mark := marks.get(name), str)},
    )


def failure(
    question: GoldQuestion,
    hits: Sequence[Mapping[str, Any]],
    answer: Mapping[str, Any] | None,
    scores: Mapping[str, float],
) -> str | None:
    """The first step that failed (retrieval, evidence, declining, reading, citing, error); None if none did.

    An answer that can't be judged right or wrong has failed only where it was a refusal or cites wrongly.
    """
    if answer is None:
        return "error"
    wrong = scores.get("right") == 0.0
    if not question.answerable:
        return "declining" if wrong else None
    if wrong or answer["declined"]:
        if question.gold_articles and not {hit["article"] for hit in hits} & set(question.gold_articles):
            return "retrieval"
        found = [scores[name] for name in ("answer_in_evidence", "evidence_recall") if name in scores]
        if found and not any(found):
            return "evidence"
        return "declining" if answer["declined"] else "reading"
    if scores.get("citation_exact", 1.0) < 1.0 or scores.get("citation_recall") == 0.0:
        return "citing"
    return None


def _retrieval(question: GoldQuestion, hits: Sequence[Mapping[str, Any]]) -> dict[str, _Mark]:
    if not (question.answerable or question.gold_articles):
        return {}
    ranked, gold = [hit["article"] for hit in hits], question.gold_articles
    return {
        "hit@1": _mark(metrics.hit_at, ranked, gold, 1),
        "hit@5": _mark(metrics.hit_at, ranked, gold, 5),
        "recall@5": _mark(metrics.recall_at, ranked, gold, 5),
        "recall@10": _mark(metrics.recall_at, ranked, gold, 10),
        "mrr@10": _mark(metrics.reciprocal_rank, ranked, gold, 10),
        "ndcg@10": _mark(metrics.ndcg_at, ranked, gold, 10),
        "all@10": _mark(metrics.all_at, ranked, gold, 10),
    }


def _evidence(question: GoldQuestion, answer: Mapping[str, Any], embedder: Embedding) -> dict[str, _Mark]:
    evidence = answer["evidence"]
    # The embedder's word pieces, not the LLM's tokens: runs with different models stay comparable.
    marks: dict[str, _Mark] = {"evidence_tokens": float(sum(len(embedder.piece_offsets(e["text"])) for e in evidence))}
    if question.answerable:
        passages = [_passage(e) for e in evidence]
        texts = [e["text"] for e in evidence]
        marks["answer_in_evidence"] = _mark(metrics.answer_in_evidence, texts, question.answers, question.must)
        marks["evidence_recall"] = _mark(metrics.gold_recall, passages, question.gold)
        marks["evidence_precision"] = _mark(metrics.gold_precision, passages, question.gold)
    return marks


def _said(question: GoldQuestion, answer: Mapping[str, Any], embedder: Embedding) -> dict[str, _Mark]:
    if not question.answerable:
        return {"right": float(metrics.is_right(question, answer["answer"], answer["declined"]))}
    said = "" if answer["declined"] else answer["answer"]  # a refusal shares words with many a gold answer
    return {
        "right": _mark(_right, question, said, answer["declined"]),
        "contains": _mark(_contains, said, question.answers),
        "must": _mark(metrics.must_have, said, question.must),
        "em": _mark(metrics.exact_match, said, question.answers),
        "f1": _mark(metrics.f1, said, question.answers),
        "rouge_l": _mark(_to_reference, question, lambda: metrics.rouge_l(said, question.reference)),
        "token_recall": _mark(_to_reference, question, lambda: metrics.token_recall(said, question.reference)),
        "similarity": _mark(_to_reference, question, lambda: _similarity(said, question.reference, embedder)),
    }


def _right(question: GoldQuestion, said: str, declined: bool) -> float:
    if not (question.answers or question.must):
        raise ValueError("the question has neither gold answers nor must-have groups")
    return float(metrics.is_right(question, said, declined))


def _contains(said: str, answers: Sequence[str]) -> float:
    if not answers:
        raise ValueError("the question has no gold answers")
    return float(any(metrics.contains(said, gold) for gold in answers))


def _to_reference(question: GoldQuestion, metric: Callable[[], float]) -> float:
    if not question.reference:
        raise ValueError("the question has no reference answer")
    return metric()


def _similarity(said: str, reference: str, embedder: Embedding) -> float:
    """Cosine, a negative one as 0: opposite and unrelated are equally far from the reference."""
    return max(0.0, metrics.similarity(embedder.query(said), embedder.query(reference))) if said else 0.0


def _citations(
    question: GoldQuestion, answer: Mapping[str, Any], article_text: Callable[[str], str]
) -> dict[str, _Mark]:
    sentences = answer["sentences"]
    if answer["declined"] or not sentences:
        return {}
    quotes = dict.fromkeys((_passage(c), c["quote"]) for sentence in sentences for c in sentence["citations"])
    exact = [metrics.citation_exact(quote, article_text(c.article), c.start, c.end) for c, quote in quotes]
    marks: dict[str, _Mark] = {
        "citation_exact": sum(exact) / len(exact) if exact else "the answer cites nothing",
        "supported": sum(sentence["support"] == "supported" for sentence in sentences) / len(sentences),
        "cited": sum(bool(sentence["citations"]) for sentence in sentences) / len(sentences),
    }
    if question.answerable:
        cited = [passage for passage, _ in quotes]
        marks["citation_precision"] = _mark(metrics.gold_precision, cited, question.gold)
        marks["citation_recall"] = _mark(metrics.gold_recall, cited, question.gold)
    return marks


def _declining(question: GoldQuestion, answer: Mapping[str, Any]) -> dict[str, _Mark]:
    declined = float(answer["declined"])
    if question.answerable:
        return {"false_refusal": declined}
    # Some have a right reply beside declining: a false premise may be set right.
    return {} if question.answers or question.must else {"declined": declined}


def _conversation(question: GoldQuestion, answer: Mapping[str, Any]) -> dict[str, _Mark]:
    if not question.history:
        return {}
    if not question.standalone:
        return {"standalone_f1": "the question has no gold rewrite"}
    return {"standalone_f1": _mark(metrics.f1, answer["standalone"], [question.standalone])}


def _cost(answer: Mapping[str, Any]) -> dict[str, _Mark]:
    costs = {name: answer["usage"][name] for name in _USAGE} | {name: answer["timings"][name] for name in _TIMINGS}
    return {name: float(cost) for name, cost in costs.items() if cost is not None}


def _mark(metric: Callable[..., float], *arguments: Any) -> _Mark:
    """The metric's figure, or, where it raises ValueError, its reason why there can be none."""
    try:
        return float(metric(*arguments))
    except ValueError as error:
        return str(error)


def _passage(place: Mapping[str, Any]) -> Passage:
    return Passage(place["article"], place["start"], place["end"])
