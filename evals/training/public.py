"""What is learned from public sets: pairs of a claim and its evidence, and the tuning halves of WiCE and CLAPNQ.

None of their text lies in this project; `DATELINE_BENCHMARKS` and a folder of pairs say where it is.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evals.benchmark_sets import Half, half_of
from evals.training.examples import FIRST_WORD, Example, Part, count, judged, opened, shuffled
from index.article import Article
from index.embedding import Embedder
from index.reading import read_file
from index.relevance import bundled
from index.search import Index
from rag import evidence, judge, reader
from rag.types import EvidenceSentence

_BUDGETS = 230, 460  # tokens of evidence
_LONGEST = 2_400  # characters of evidence that a pair may have
_WICE = {"supported": "yes", "partially_supported": "part", "not_supported": "no"}


def pairs(folder: Path) -> Iterator[Example]:
    """Pairs of the public sets (claim, evidence, whether it is carried), two verdicts each."""
    for path in sorted(folder.glob("*.jsonl")):
        for row in rows(path):
            text = " ".join(row["evidence"].split())
            if len(text) <= _LONGEST:
                name = f"{row['set']}/{row['id']}"
                yield _claim(name, _split(name), text, row["claim"], "yes" if row["supported"] else "no")


def wice(folder: Path) -> Iterator[Example]:
    """The tuning half of WiCE: each claim with the sentences that support it and those that look most like it."""
    for row in tuning_half(folder / "wice" / "claims.jsonl"):
        sentences = [" ".join(text.split()) for text in row["sentences"]]
        relevance = bundled().scores(row["claim"], sentences)
        ranked = sorted(range(len(sentences)), key=lambda n: -relevance[n])
        needed = row["supporting"][0] if row["supporting"] else []
        for budget in _BUDGETS:
            chosen, spent = set(needed), sum(len(sentences[n]) // 4 + 5 for n in needed)
            for n in ranked:
                spent += len(sentences[n]) // 4 + 5
                if spent > budget:
                    break
                chosen.add(n)
            told = " ".join(sentences[n] for n in sorted(chosen))
            yield _claim(f"wice/{row['id']}/{budget}", "train", told, row["claim"], _WICE[row["label"]])


def clapnq(folder: Path) -> Iterator[Example]:
    """The tuning half of CLAPNQ: whether what the search finds holds an answer, the first word alone."""
    index = corpus(folder / "clapnq")
    for row in tuning_half(folder / "clapnq" / "questions.jsonl"):
        lot = random.Random(row["id"])  # noqa: S311 (no secret)
        ranked = evidence.pool(row["question"], index.search(row["question"], evidence.HITS), index, bundled().scores)
        gold = {_bare(text) for text in row["gold_sentences"]}
        for budget in _BUDGETS:
            found = evidence.reading(ranked, count, budget)
            if row["answerable"]:
                needed = [e for e in _of(index, row["gold_articles"]) if _bare(e.text) in gold]
                if not needed:
                    continue
                places = {(e.article.id, e.sentence) for e in needed}
                found = (*needed, *(e for e in found if (e.article.id, e.sentence) not in places))
            read = evidence.renumbered(shuffled(found, lot))
            messages = reader.prompt(row["question"], read, "", trained=True)
            word = row["answers"][0].replace("`` ", '"').split()[0] if row["answerable"] else reader.NONE_WORD
            yield Example(f"clapnq/{row['id']}/{budget}", "train", (Part(opened(messages)), Part(word, FIRST_WORD)))


def corpus(folder: Path) -> Index:
    """The articles of a public set, in memory."""
    read = read_file(folder / "articles.jsonl")
    return Index.in_memory([each for each in read if isinstance(each, Article)], Embedder())


def tuning_half(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a set that may be learned from."""
    return (row for row in rows(path) if half_of(row["id"]) is Half.TUNE)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL file."""
    return map(json.loads, path.read_text(encoding="utf-8").splitlines())


def _of(index: Index, names: list[str]) -> list[EvidenceSentence]:
    return [e for name in names for e in evidence.sentences_of(index.article(name))]


def _bare(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _claim(name: str, split: str, told: str, claim: str, verdict: str) -> Example:
    read = evidence.sentences_of(Article(name, "", told))
    return judged(name, split, judge.prompt(judge.CLAIM, " ".join(claim.split()), read, ""), verdict)


def _split(name: str) -> str:
    """One pair in twenty is only measured."""
    return "held" if hashlib.sha256(name.encode()).digest()[0] < 13 else "train"
