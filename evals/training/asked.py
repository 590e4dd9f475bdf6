"""Fits the head that tells a plain question in English from one that compares and from what else people type.

    dateline eval train asked

writes rag/models/asked.npz and prints how often it was right on parts of the corpus that it had not seen.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from evals.training.corpus import FOLDER, clusters
from index.embedding import Embedder
from rag.models.asked import CLASSES, WEIGHTS

_PER_CLUSTER = 20  # plain questions: as many more would only outweigh the others
_SAME = 9  # letters by which a question that was typed and the one that is meant begin alike


def rows(folder: Path = FOLDER) -> tuple[list[str], list[str]]:
    """What was typed without a conversation before it, and which of `CLASSES` it is."""
    typed: list[str] = []
    told: list[str] = []
    for path in sorted(folder.glob("conversation-*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if not row["history"]:
                alike = row["said"].casefold()[:_SAME] == row["question"].casefold()[:_SAME]
                typed.append(row["said"])
                told.append(row["kind"] if row["kind"] != "question" else "plain" if alike else "other")
    for cluster in clusters(folder):
        alone = [question for question in cluster.questions if not question.history]
        plain = [question.text for question in alone if question.kind != "contrast"][:_PER_CLUSTER]
        contrasts = [question.text for question in alone if question.kind == "contrast"]
        typed += plain + contrasts
        told += ["plain"] * len(plain) + ["contrast"] * len(contrasts)
    return typed, told


def main() -> None:
    """Fit, tell and write."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
    from sklearn.model_selection import cross_val_predict  # type: ignore[import-untyped]

    typed, told = rows()
    embedder = Embedder()
    vectors, classes = np.array([embedder.query(text) for text in typed]), np.array([CLASSES.index(c) for c in told])
    head = LogisticRegression(C=10, max_iter=3000, class_weight="balanced")
    seen = cross_val_predict(head, vectors, classes, cv=10)
    for n, name in enumerate(CLASSES):
        counts = [(np.mean(seen[classes == n] == m), other) for m, other in enumerate(CLASSES)]
        shares = ", ".join(f"{other} {share:.2f}" for share, other in sorted(counts, reverse=True) if share >= 0.01)
        print(f"{name} ({(classes == n).sum()}), unseen tenths called: {shares}")
    head.fit(vectors, classes)
    np.savez(WEIGHTS, weights=head.coef_.astype(np.float32), bias=head.intercept_.astype(np.float32))


if __name__ == "__main__":
    main()
