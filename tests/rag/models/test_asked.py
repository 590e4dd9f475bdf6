"""The real head over the real embedder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from index.embedding import Embedder
from rag.models import asked as module
from rag.models.asked import CLASSES, WEIGHTS, Asked, asked

SEEDS = Path(__file__).parents[3] / "evals" / "gold" / "seeds.jsonl"


def seeds(*kinds: str) -> list[str]:
    """Questions of the starter corpus that stand alone."""
    rows = [json.loads(line) for line in SEEDS.read_text(encoding="utf-8").splitlines()]
    return [row["question"] for row in rows if row["kind"] in kinds]


@pytest.mark.parametrize(
    "typed",
    [
        "hello",
        "Thank you!",
        "What can you do?",
        "What are the articles about?",
        "Summarise the article about the dam",
        "Which articles are about China?",
        "Wann wurde der Hafen von Gwadar eröffnet?",
        "Qui dirige Centcom ?",
        "",
    ],
)
def test_what_is_no_plain_question_in_english_needs_telling(embedder: Embedder, typed: str) -> None:
    assert asked(typed, embedder).needs_telling


def test_plain_questions_of_the_starter_corpus_are_looked_up_as_they_are(embedder: Embedder) -> None:
    questions = seeds("fact", "attribution", "unanswerable", "false-premise", "partial")
    told = [question for question in questions if asked(question, embedder).needs_telling]
    assert len(questions) >= 50
    assert len(told) <= len(questions) // 20, told
    compared = [question for question in questions if asked(question, embedder).compares]
    assert len(compared) <= len(questions) // 8, compared


def test_contrasts_of_the_starter_corpus_are_mostly_seen_to_compare(embedder: Embedder) -> None:
    questions = seeds("contrast")
    seen = [question for question in questions if asked(question, embedder).compares]
    assert len(questions) >= 10
    assert len(seen) >= 0.6 * len(questions), sorted(set(questions) - set(seen))


@pytest.mark.parametrize("matter", ["the cost of the bridge", "who attacked the convoy", "arms for Kiev"])
def test_how_reports_differ_compares_and_needs_no_telling(embedder: Embedder, matter: str) -> None:
    looks = asked(f"How do the reports differ on {matter}?", embedder)
    assert looks.compares
    assert not looks.needs_telling


@pytest.mark.parametrize("typed", ["Who is the head of Centcom?", "When was the harbour of Gwadar opened?"])
def test_what_asks_for_one_thing_does_not_compare(embedder: Embedder, typed: str) -> None:
    assert not asked(typed, embedder).compares


@pytest.mark.parametrize("typed", ["hello", "Who is the head of Centcom?", "", "x" * 2_000])
def test_probabilities_add_up_to_one(embedder: Embedder, typed: str) -> None:
    told = asked(typed, embedder)
    assert tuple(told.shares) == CLASSES
    assert sum(told.shares.values()) == pytest.approx(1.0)
    assert min(told.shares.values()) >= 0.0


def test_the_head_has_a_row_for_each_class_over_the_bundled_embedder(embedder: Embedder) -> None:
    told = np.load(WEIGHTS)
    assert told["weights"].shape == (len(CLASSES), embedder.dimension)
    assert told["bias"].shape == (len(CLASSES),)


class Stranger:
    """An embedder of another name, whose vectors would mean nothing to the head."""

    name = "somebody/else"

    def query(self, text: str) -> np.ndarray:
        raise AssertionError("it was asked")


def test_another_embedder_than_the_bundled_one_is_not_asked(
    embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_bundled", lambda: embedder)
    assert asked("hello", Stranger()) == asked("hello", embedder)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CLASSES)
def test_the_likeliest_class_tells_whether_the_model_has_to(name: str) -> None:
    looks = Asked({name: 0.6, "plain" if name != "plain" else "other": 0.4})
    assert looks.best == name
    assert looks.needs_telling is (name not in {"plain", "contrast"})


@pytest.mark.parametrize(
    ("plain", "contrast", "compares"), [(0.4, 0.6, True), (0.6, 0.4, False), (0.5, 0.5, False), (0.0, 0.04, False)]
)
def test_it_compares_where_that_is_likelier_than_one_thing(plain: float, contrast: float, compares: bool) -> None:
    assert Asked({"plain": plain, "contrast": contrast, "other": 0.0}).compares is compares


@pytest.mark.parametrize(
    ("typed", "best"),
    [
        ("hello", "talk"),
        ("What can you do?", "ability"),
        ("What are the articles about?", "overview"),
        ("Worum geht es in den Artikeln?", "overview"),
        ("Who is the head of Centcom?", "plain"),
    ],
)
def test_what_is_wanted_is_seen_at_first_sight(embedder: Embedder, typed: str, best: str) -> None:
    assert asked(typed, embedder).best == best
