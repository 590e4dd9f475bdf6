from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from evals import calibration
from evals.benchmark_sets import Half, half_of
from evals.calibration import (
    ASKED_ROWS,
    DECLINING_ROWS,
    DECLINING_SETS,
    LABELS,
    READ_ROWS,
    SENTENCE_ROWS,
    SUPPORT_ROWS,
    Row,
    fit_declining,
    fit_support,
    main,
    read_rows,
    support_rows,
)
from index.errors import GoldError
from rag import support
from rag.decline import BEST, OFFSET, SENTENCES, THRESHOLD
from rag.features import FEATURES


def test_the_kept_rows_give_the_constants_of_the_check_again() -> None:
    found = fit_support(read_rows(SUPPORT_ROWS))
    assert found.intercept == pytest.approx(support.INTERCEPT, abs=1e-3)
    assert found.weights == pytest.approx(support.WEIGHTS, abs=1e-3)
    assert (found.supported, found.partial) == (support.SUPPORTED, support.PARTIAL)


def test_the_kept_rows_give_the_constants_of_declining_again() -> None:
    assert fit_declining(DECLINING_ROWS) == pytest.approx((OFFSET, BEST, SENTENCES), abs=1e-3)


def test_rows_of_declining_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    path = tmp_path / "declining.csv"
    path.write_text("set,answerable,best\n", encoding="utf-8")
    with pytest.raises(GoldError, match="it should have set, answerable, best, sentences"):
        fit_declining(path)
    path.write_text("set,answerable,best,sentences\n", encoding="utf-8")
    with pytest.raises(GoldError, match="rows that are answerable"):
        fit_declining(path)
    path.write_text("set,answerable,best,sentences\nclapnq,True,1,2\nclapnq,0,1,2\n", encoding="utf-8")
    with pytest.raises(GoldError, match="rows that are answerable"):
        fit_declining(path)
    path.write_text("set,answerable,best,sentences\nclapnq,1,much,2\n", encoding="utf-8")
    with pytest.raises(GoldError, match=r"declining\.csv can't be read: .*'much'"):
        fit_declining(path)


def refused(rows: Path, **wanted: str) -> float:
    """The share of the rows of a file with the wanted values that lie below the threshold."""
    with rows.open(encoding="utf-8", newline="") as file:
        chosen = [row for row in csv.DictReader(file) if wanted.items() <= row.items()]
    logits = [OFFSET + BEST * float(row["best"]) + SENTENCES * float(row["sentences"]) for row in chosen]
    return float(np.mean(1 / (1 + np.exp(-np.array(logits))) < THRESHOLD))


def test_the_threshold_refuses_at_most_a_tenth_of_the_answerable_of_every_set() -> None:
    for name in DECLINING_SETS:
        assert refused(DECLINING_ROWS, set=name, answerable="1") <= 0.1, name
    assert refused(READ_ROWS, answered="1") <= 0.05, "of what a reader finds answered"


def test_the_share_taken_over_tells_what_a_reader_finds_carried() -> None:
    with SENTENCE_ROWS.open(encoding="utf-8", newline="") as file:
        rows = [(row["carried"] == "1", float(row["taken"])) for row in csv.DictReader(file)]
    shown = [carried for carried, taken in rows if taken >= support.TAKEN]
    everyone = [carried for carried, _ in rows]
    assert sum(shown) / len(shown) >= 0.9 > sum(everyone) / len(everyone)
    assert sum(shown) >= 0.85 * sum(everyone), "few that are carried are only partly supported"


def test_the_share_of_what_is_asked_tells_what_a_reader_finds_carried() -> None:
    with ASKED_ROWS.open(encoding="utf-8", newline="") as file:
        rows = [(row["carried"] == "1", float(row["asked"]), row["two"] == "1") for row in csv.DictReader(file)]
    shown = [carried for carried, asked, two in rows if asked >= (support.ASKED / 2 if two else support.ASKED)]
    everyone = [carried for carried, _, _ in rows]
    assert sum(shown) / len(shown) >= 0.85 > sum(everyone) / len(everyone)


def test_more_that_is_held_is_never_less_probable() -> None:
    assert list(support.WEIGHTS) == list(FEATURES)
    for name, weight in support.WEIGHTS.items():
        assert (weight < 0) == name.endswith("_missing"), name


def test_the_kept_rows_hold_numbers_and_labels_alone() -> None:
    with SUPPORT_ROWS.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:2] == ["set", "label"]
    assert {(row[0], row[1]) for row in rows} == {("wice", label) for label in LABELS}
    assert all(0 <= float(value) < 5 for row in rows for value in row[2:])


def test_a_feature_that_tells_gets_the_weight() -> None:
    random = np.random.default_rng(1)
    rows = []
    for n in range(60):
        values = dict.fromkeys(FEATURES, 0.0) | {
            "best": (n % 3 == 0) * 0.5 + random.uniform(0, 0.4),
            "held": (0.6, 0.45, 0.25)[n % 3],
        }
        rows.append(Row("made", LABELS[n % 3], values))
    found = fit_support(rows)
    assert found.weights["best"] > 1
    assert all(found.weights[name] == 0 for name in FEATURES if name != "best")
    assert found.auc == found.f1 == found.accuracy == 1.0
    assert 0.25 < found.partial <= 0.45


CLAIMS = [
    {"id": "1", "claim": "The harbour of Gwadar was opened in 2007.", "label": "supported"},
    {"id": "2", "claim": "The harbour of Gwadar was opened in 1999.", "label": "partially_supported"},
    {"id": "9", "claim": "Elmford won the football cup twice.", "label": "not_supported"},
]


def test_rows_come_from_the_tuning_half_alone_and_go_through_a_file(tmp_path: Path) -> None:
    page = ["The harbour of Gwadar was opened in 2007.", "It rained on Monday."]
    made = [
        {**row, "id": str(n), "sentences": page, "supporting": []} for n in range(40) for row in CLAIMS[n % 3 :][:1]
    ]
    (tmp_path / "wice").mkdir()
    (tmp_path / "wice" / "claims.jsonl").write_text("\n".join(map(json.dumps, made)))
    rows = support_rows(tmp_path)
    assert len(rows) == sum(half_of(row["id"]) is Half.TUNE for row in made) < 40
    by_label = {row.label: row.values for row in rows}
    assert set(by_label) == set(LABELS)
    assert by_label["supported"]["best"] == by_label["supported"]["held"] == 1.0
    assert by_label["partially_supported"]["best"] == 0.75
    assert by_label["partially_supported"]["exact_missing"] == 0.6931
    assert by_label["not_supported"]["held"] == 0.0
    calibration.write_rows(tmp_path / "rows.csv", rows)
    assert read_rows(tmp_path / "rows.csv") == rows


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("set,label\nwice,supported\n", "columns"),
        (",".join(calibration._COLUMNS) + "\nwice,supported,x,0,0,0,0,0\n", "can't be read"),
        (",".join(calibration._COLUMNS) + "\nwice,supported,1,0\n", "can't be read"),
        (",".join(calibration._COLUMNS) + "\nwice,maybe,1,0,0,0,0,0\n", "maybe"),
    ],
)
def test_a_file_with_other_rows_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(GoldError, match=problem):
        read_rows(tmp_path / "rows.csv")


def test_the_command_prints_what_the_check_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["support"], {}) == 0
    assert f"INTERCEPT = {support.INTERCEPT:.2f}"[:-1] in capsys.readouterr().out
    assert main([], {}) == 2
    assert "support" in capsys.readouterr().err
    assert main(["support"], {"DATELINE_BENCHMARKS": "/nowhere"}) == 1
    assert "DATELINE_BENCHMARKS" in capsys.readouterr().err
