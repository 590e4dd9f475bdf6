"""Fits the head that tells a plain question in English from whatever else people type, over the bundled embedder.

    python -m evals.training.plain

writes rag/models/plain.npz and prints how often it was right on parts of the corpus that it had not seen.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from evals.training.corpus import FOLDER, clusters
from index.embedding import Embedder
from rag.models.plain import WEIGHTS

_PER_CLUSTER = 20  # questions: as many more would only outweigh what is not plain


def rows(folder: Path = FOLDER) -> tuple[list[str], list[bool]]:
    """What was typed without a conversation before it, and whether it is a question that can be looked up as it is."""
    typed: list[str] = []
    plain: list[bool] = []
    for path in sorted(folder.glob("conversation-*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if not row["history"]:
                typed.append(row["said"])
                plain.append(row["kind"] == "question" and row["said"].casefold()[:9] == row["question"].casefold()[:9])
    for cluster in clusters(folder):
        alone = [question.text for question in cluster.questions if not question.history][:_PER_CLUSTER]
        typed += alone
        plain += [True] * len(alone)
    return typed, plain


def main() -> None:
    """Fit, tell and write."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    typed, plain = rows()
    embedder = Embedder()
    vectors, told = np.array([embedder.query(text) for text in typed]), np.array(plain)
    head = LogisticRegression(C=10, max_iter=3000, class_weight="balanced")
    seen = cross_val_predict(head, vectors, told, cv=10)
    print(f"{len(told)} texts, {told.sum()} of them plain; unseen tenths: plain ones called so {seen[told].mean():.3f}, "
          f"others {seen[~told].mean():.3f}")  # fmt: skip
    head.fit(vectors, told)
    np.savez(WEIGHTS, weights=head.coef_[0].astype(np.float32), bias=head.intercept_.astype(np.float32))


if __name__ == "__main__":
    main()
