"""The hard trials of the index, shortened: `dateline eval index` runs them at full length."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.index_trials import fuzz_trial, kill_trial, read_only_trial, small_pdf
from index.reading import Reader, Reading


@pytest.mark.slow
def test_after_any_kill_the_index_is_whole_and_in_the_end_as_if_nothing_had_happened(tmp_path: Path) -> None:
    found = kill_trial(tmp_path, 20, seed=7)
    assert found.broken == ()
    assert found.clean + found.pending == 20
    assert found.undisturbed


def test_every_broken_file_is_told_of_and_none_harms_the_rest(tmp_path: Path) -> None:
    found = fuzz_trial(tmp_path, 250, seed=7)
    assert found.lost == ()
    assert found.articles + found.problems >= 250
    assert len(found.by_format) == 9


def test_a_home_on_a_disk_that_can_only_be_read_can_be_searched(tmp_path: Path) -> None:
    told = read_only_trial(tmp_path)
    if told.startswith("not tried"):
        pytest.skip(told)
    assert told == "ok"


def test_the_small_pdf_of_the_trials_is_a_pdf(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(small_pdf("The bridge closed.\nNobody was hurt."))
    with Reader() as reader:
        (found,) = reader.read(tmp_path / "a.pdf")
    assert isinstance(found, Reading)
    assert "Nobody was hurt." in found.article.text
