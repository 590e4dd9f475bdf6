"""What the reader wrote is learned from as far as it is known whether it was right."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

import prompts
from evals.training import drafts
from evals.training.drafts import Asked
from evals.training.examples import Example, opened
from prompts import Message
from rag import reader
from rag.evidence import renumbered, shown
from rag.models.llm import Usage
from tests.rag.making import article, sentence

PORT = article("port", "It opened in 2007.", "It has cranes.", title="Harbours", published="2024-05-03")
READ = renumbered([sentence(PORT, 0, 2.0), sentence(PORT, 1, 1.0)])


class Model:
    """Writes what it is told to, and keeps what it was asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.without = ""

    def write(
        self, messages: Sequence[Message], max_tokens: int, stop: Any = None, *, without: str = ""
    ) -> Generator[str, None, Usage]:
        self.messages, self.without = list(messages), without
        yield self.text
        return Usage()


def made(tmp_path: Path, text: str, answers: tuple[str, ...], name: str = "xquad/1") -> list[Example]:
    asked = Asked(name, "When did it open?", "2024-05-09", answers, READ)
    path = tmp_path / "drafts.jsonl"
    path.write_text(json.dumps(drafts.write(asked, Model(text))) + "\n")  # type: ignore[arg-type]
    return list(drafts.examples(path, lambda cluster: f"the split of {cluster}"))


def told(example: Example) -> str:
    return example.parts[1].text


def test_the_reader_may_not_refuse_and_is_asked_as_ever() -> None:
    model = Model("It opened in 2007 [1].")
    row = drafts.write(Asked("x", "When?", "2024-05-09", (), READ), model)  # type: ignore[arg-type]
    assert model.without == reader.NONE_WORD
    assert model.messages == reader.prompt("When?", READ, "2024-05-09", trained=True)
    assert row["sentences"] == [{"text": "It opened in 2007.", "cited": shown(READ[:1])}]


def test_of_a_right_answer_the_sentence_that_holds_it_is_carried_and_the_answer_is_learned(tmp_path: Path) -> None:
    judged, right = made(tmp_path, "It has cranes [2]. It opened in 2007 [1].", ("2007",))
    asked = " (asked on 2024-05-09)"
    request = prompts.render(
        "check", evidence=shown(READ[:1]), question="When did it open?", asked=asked, sentence="It opened in 2007."
    )
    assert (judged.parts[0].text, told(judged)) == (opened(request), "yes")
    assert right.parts[0].text == opened(reader.prompt("When did it open?", READ, "2024-05-09", trained=True))
    assert "".join(part.text for part in right.parts[1:]).startswith("It has cranes [2]. It opened in 2007 [1].")


@pytest.mark.parametrize("answers", [("2008",), ()])
def test_of_a_wrong_answer_no_sentence_is_carried(tmp_path: Path, answers: tuple[str, ...]) -> None:
    found = made(tmp_path, "It has cranes [2]. It opened in 2007 [1]. It rained.", answers)
    judged = [each for each in found if "/draft" in each.name]
    assert [told(each) for each in judged] == ["no", "no"], "what cites nothing is not asked"
    rest = [told(each) for each in found if each not in judged]
    assert rest == (["None"] if answers else []), "its answer is not in what was read"


def test_a_draft_of_the_corpus_belongs_to_its_cluster_s_split(tmp_path: Path) -> None:
    (judged,) = made(tmp_path, "It opened in 2008 [1].", (), "10-ferry/q01")
    assert judged.split == "the split of 10-ferry"
    assert made(tmp_path, "It opened in 2008 [1].", ("2007",))[0].split == "train"


def test_names_tell_what_is_done(tmp_path: Path) -> None:
    assert drafts.names(tmp_path / "nowhere") == frozenset()
    made(tmp_path, "It opened in 2007 [1].", ())
    assert drafts.names(tmp_path / "drafts.jsonl") == {"xquad/1"}
