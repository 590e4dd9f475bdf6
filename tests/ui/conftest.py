from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from index.embedding import Embedder
from tests.conftest import FIRST, SECOND, Run

Write = Callable[..., Path]


@pytest.fixture
def run(shared_embedder: Embedder, dateline: Run) -> Run:
    return dateline


@pytest.fixture
def filled(run: Run, write: Write, folder: Path) -> Path:
    write("gwadar.md", f"---\ntitle: The port\nsource: Coast Weekly\npublished: 2024-05-01\n---\n{FIRST}")
    write("quetta.txt", SECOND)
    assert run("index", "add", folder).code == 0
    return folder
