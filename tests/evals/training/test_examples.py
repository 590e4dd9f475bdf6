"""What is learned is what is asked at run time: the same prompts, markers that point at the gold, verdicts of foils."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from evals.training import examples as module
from evals.training.corpus import Cluster, read
from evals.training.examples import Builder, Corpus, Example, Part, opened
from index.embedding import Embedder
from prompts import Message
from rag import reader
from rag.cite import read_markers
from rag.judge import Judge, Relation
from rag.models.asked import Asked
from rag.models.llm import LLM, Usage
from rag.question import meant
from rag.types import EvidenceSentence, Kind, Turn
from tests.evals.training.ferry import BEGIN, CLUSTER, NAME

ANSWER = "The ferry crews on the Lorne coast stopped work on Tuesday, 2 May 2023."
GOLD = {
    "q20": {"eighteen months": "a3"},
    "q21": {"4 per cent in April": "a4", "7 per cent now": "b2"},
    "q22": {"4 per cent in April": "a4", "now offers 7 per cent": "b2"},
}
_NUMBERED = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    path = tmp_path_factory.mktemp("corpus") / f"{NAME}.txt"
    path.write_text(CLUSTER, encoding="utf-8")
    return read(path)


@pytest.fixture(scope="module")
def corpus(cluster: Cluster, embedder: Embedder) -> Corpus:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "Embedder", lambda: embedder)
        return Corpus([cluster])


@pytest.fixture(scope="module")
def made(cluster: Cluster, corpus: Corpus) -> dict[str, Example]:
    """All examples of the cluster by their names; somebody answered q02 from the second sentence too."""
    blind = {NAME: {"q02": ("a1", "a2")}}
    found = list(Builder(corpus, {NAME: "held"}, blind).of(cluster))
    by_name = {example.name.removeprefix(f"{NAME}/"): example for example in found}
    assert len(by_name) == len(found)
    assert {example.split for example in found} == {"held"}
    return by_name


def prompt(example: Example) -> str:
    return example.parts[0].text


def told(example: Example) -> str:
    """All that stands after the prompt."""
    return "".join(part.text for part in example.parts[1:])


def learned(example: Example) -> str:
    return "".join(part.text for part in example.parts if part.weight)


def written(example: Example) -> str:
    """The assistant's first turn."""
    return told(example).partition("<|im_end|>")[0]


def rows(example: Example) -> dict[int, str]:
    """The numbered sentences of the prompt."""
    return {int(number): text for number, text in _NUMBERED.findall(prompt(example))}


def sentences(cluster: Cluster) -> dict[str, str]:
    return {text: name for name, text in cluster.sentences.items()}


def asked_of(example: Example) -> str:
    """Question and date as they stand at the end of the prompt."""
    return prompt(example).rpartition("\n\nQuestion")[2].partition("<|im_end|>")[0]


def reading(made: dict[str, Example]) -> dict[str, Example]:
    """Those that read evidence and answer, right or wrong."""
    return {name: each for name, each in made.items() if name.startswith("q") and not name.endswith("standalone")}


def test_every_question_is_read_twice_with_its_foils_and_every_pair_and_rewrite_is_there(
    made: dict[str, Example], cluster: Cluster
) -> None:
    for question in cluster.questions:
        for part in ("small", "small/foil", "large", "large/foil"):
            assert f"{question.id}/{part}" in made
    assert {"q20/standalone", "pair0"} <= set(made)
    assert "q01/standalone" not in made


def test_where_the_gold_sentences_are_taken_out_a_refusal_is_learned(made: dict[str, Example]) -> None:
    without = {name: each for name, each in made.items() if name.endswith("/without")}
    assert "q02/without" in without
    assert 1 < len(without) < 10
    assert not [name for name in without if name.startswith("q20")], "there never was an answer"
    for name, example in without.items():
        assert rows(example), "something is left to read"
        if name < "q09":
            assert written(example) == "None of the articles says when the ferry crews stopped work."
            assert BEGIN["a1"] not in prompt(example)
        assert reader.says_none(written(example))
        assert learned(example) == f"{written(example)}<|im_end|>\n"
        assert (BEGIN["a2"] in prompt(example)) == (name != "q02/without"), "what others answered from goes too"


def test_a_question_without_an_answer_learns_what_is_missing_and_what_there_is(made: dict[str, Example]) -> None:
    for size in ("small", "large"):
        said = written(made[f"q20/{size}"])
        assert said.startswith("None of the articles says what Pilar Venn asked for. They say only that the crews")
        assert "<|im_start|>user" not in told(made[f"q20/{size}"]), "a refusal is not checked"
    assert " The articles do not say from when the rise would be paid.<|im_end|>" in told(made["q21/small"])


def test_the_first_word_of_an_answer_weighs_most_and_the_prompt_nothing(made: dict[str, Example]) -> None:
    for name in ("q01/small", "q20/large", "q02/without"):
        prompt_, first, rest, *_ = made[name].parts
        assert prompt_.weight == 0
        assert first.weight > rest.weight == 1
        assert first.text == written(made[name]).split()[0]


@pytest.mark.parametrize("question", GOLD)
@pytest.mark.parametrize("size", ["small", "large"])
def test_numbers_in_markers_point_at_the_gold_sentences(
    made: dict[str, Example], cluster: Cluster, question: str, size: str
) -> None:
    example = made[f"{question}/{size}"]
    names = sentences(cluster)
    texts = rows(example)
    assert list(texts) == list(range(1, len(texts) + 1))
    pointed = {}
    for sentence in re.split(r"(?<=\])\s", written(example)):
        numbers = [int(number) for number in re.findall(r"\[(\d+)\]", sentence)]
        assert numbers == sorted(numbers)
        pointed.update({names[texts[number]]: sentence for number in numbers})
    assert set(pointed) == set(GOLD[question].values())
    for said, name in GOLD[question].items():
        assert said in pointed[name]


def test_a_foil_is_written_and_not_learned_and_its_verdict_is(made: dict[str, Example], cluster: Cluster) -> None:
    names = sentences(cluster)
    verdicts = {"q01": "no no", "q20": "part part", "q21": "yes no", "q22": "no no"}
    for question in cluster.questions:
        (foil,) = question.foils
        for size in ("small", "large"):
            example = made[f"{question.id}/{size}/foil"]
            said, _, markers = written(example).rpartition(" ")
            assert said == foil.said.text
            cited = [names[rows(example)[int(number)]] for number in re.findall(r"\[(\d+)\]", markers)]
            assert tuple(cited) == foil.said.cites
            assert learned(example) == verdicts.get(question.id, "no no") + "<|im_end|>\n"


def test_a_right_answer_is_checked_sentence_by_sentence_and_as_a_whole(made: dict[str, Example]) -> None:
    for name, verdicts in (("q01", "yes yes"), ("q21", "yes yes part"), ("q22", "yes yes yes")):
        for size in ("small", "large"):
            assert learned(made[f"{name}/{size}"]).endswith(f"<|im_end|>\n{verdicts}<|im_end|>\n")


def test_a_wrong_sentence_behind_right_ones_gets_its_own_verdict_and_the_whole_gets_none(
    made: dict[str, Example],
) -> None:
    mixed = {name: each for name, each in made.items() if name.endswith("/mixed")}
    assert mixed
    assert not [name for name in mixed if name.startswith(("q20", "q21"))]
    for name, example in mixed.items():
        right = name.removesuffix("/mixed")
        assert written(example) == f"{written(made[right])} {written(made[f'{right}/foil'])}"
        assert learned(example) == ("yes yes no" if name.startswith("q22") else "yes no")


def test_of_several_articles_that_answer_each_is_asked_alone(made: dict[str, Example]) -> None:
    positions = {name: each for name, each in made.items() if name.endswith("/position")}
    assert set(positions) == {"q22/large/a/position", "q22/large/b/position"}
    for name, title in (("a", "Ferry crews walk out in Lorne"), ("b", "Islanders count the days")):
        example = positions[f"q22/large/{name}/position"]
        assert re.findall(r"^Article: (.*) \(", prompt(example), re.MULTILINE) == [title]
        assert ("had offered 4 per cent" in written(example)) == (name == "a")
        assert ("now offers 7 per cent" in written(example)) == (name == "b")


# What is learned and what is asked


def found_in(example: Example, cluster: Cluster, corpus: Corpus) -> list[EvidenceSentence]:
    """The numbered sentences of a prompt, as evidence."""
    names = sentences(cluster)
    found = [corpus.of(cluster, [names[text]])[0] for text in rows(example).values()]
    return list(module.in_order(found))


def test_the_prompt_is_the_one_that_the_reader_gets_byte_for_byte(
    made: dict[str, Example], cluster: Cluster, corpus: Corpus
) -> None:
    questions = {question.id: question for question in cluster.questions}
    examples = reading(made)
    assert len(examples) > 40
    for name, example in examples.items():
        question = questions[name.partition("/")[0]]
        messages = reader.prompt(
            question.standalone or question.text,
            found_in(example, cluster, corpus),
            question.day,
            trained=True,
        )
        assert prompt(example).encode() == opened(messages).encode()
    assert "(asked on 2023-05-10): How large a rise" in asked_of(made["q21/small"])


def test_messages_are_laid_out_as_qwen_reads_them() -> None:
    messages = [
        Message("system", "Be brief."),
        Message("user", "Why?"),
        Message("assistant", "So."),
        Message("user", "?"),
    ]
    assert opened(messages) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
        "<|im_start|>assistant\nSo.<|im_end|>\n<|im_start|>user\n?<|im_end|>\n<|im_start|>assistant\n"
    )


class Model:
    """Stands for the LLM: keeps what it is asked, and writes what it is told to."""

    is_trained = True

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.calls: list[tuple[Sequence[Message], int, dict[str, Any]]] = []

    def write(
        self, messages: Sequence[Message], max_tokens: int, stop: Any = None, **more: Any
    ) -> Generator[str, None, Usage]:
        self.calls.append((messages, max_tokens, more))
        yield self.text
        return Usage()


def judged(llm: Model) -> Judge:
    return Judge(cast(LLM, llm))


def before_verdicts(example: Example) -> tuple[str, list[Part]]:
    """The text up to the first verdict, and the verdicts."""
    heavy = [n for n, part in enumerate(example.parts) if part.text.strip() in ("yes", "part", "no")]
    return "".join(part.text for part in example.parts[: heavy[0]]), [example.parts[n] for n in heavy]


@pytest.mark.parametrize("name", ["q01/small", "q21/large", "q22/small", "q20/small/foil", "q22/large/foil"])
def test_the_judge_asks_in_the_words_that_it_was_trained_on_but_for_the_date(
    name: str, made: dict[str, Example], cluster: Cluster, corpus: Corpus
) -> None:
    example, question = made[name], next(q for q in cluster.questions if q.id == name[:3])
    text, verdicts = before_verdicts(example)
    assert len(verdicts) == len(read_markers(written(example))) + 1, "one of each sentence, and one of the answer"
    assert len({part.weight for part in verdicts}) == 1
    llm = Model(verdicts[0].text.strip())
    asked_about = question.standalone or question.text
    verdict = judged(llm).carried(asked_about, written(example), found_in(example, cluster, corpus))
    ((asked, tokens, _),) = llm.calls
    assert opened(asked) == text.replace(f" (asked on {question.day})", "")
    assert tokens == 1
    kinds = {"yes": (1.0, 0.0, 0.0), "part": (0.0, 1.0, 0.0), "no": (0.0, 0.0, 1.0)}
    assert (verdict.yes, verdict.part, verdict.no) == kinds[verdicts[0].text.strip()]


def test_how_two_sentences_relate_is_asked_as_it_was_learned(
    made: dict[str, Example], cluster: Cluster, corpus: Corpus
) -> None:
    example = made["pair0"]
    one, other = found_in(example, cluster, corpus)
    word = learned(example).removesuffix("<|im_end|>\n")
    llm = Model(word)
    shares = judged(llm).relation(cluster.pairs[0].question, one, other)
    assert opened(llm.calls[0][0]) == prompt(example)
    assert shares == {each: float(each is Relation.LATER) for each in Relation}
    assert set(module._RELATION.values()) == {each.value for each in Relation}


def test_what_is_meant_is_asked_and_read_as_it_was_learned(made: dict[str, Example], cluster: Cluster) -> None:
    question = next(q for q in cluster.questions if q.history)
    example = made[f"{question.id}/standalone"]
    history = [
        Turn(role, text) for turn in question.history for role, text in zip(("user", "assistant"), turn, strict=True)
    ]
    asked: list[Sequence[Message]] = []

    def write(messages: Sequence[Message], tokens: int) -> str:
        asked.append(messages)
        return learned(example).removesuffix("<|im_end|>\n")

    meaning = meant(question.text, history, write, Asked({"plain": 1.0}), trained=True)
    assert opened(asked[0]) == prompt(example)
    assert (meaning.kind, meaning.question) == (Kind.QUESTION, question.standalone)


def test_examples_are_the_same_every_time(made: dict[str, Example], cluster: Cluster, corpus: Corpus) -> None:
    again = Builder(corpus, {NAME: "held"}, {NAME: {"q02": ("a1", "a2")}}).of(cluster)
    assert [(e.name, e.parts) for e in again] == [(e.name, e.parts) for e in made.values()]


def test_summaries_are_learned_from_the_articles_that_they_are_of(
    cluster: Cluster, corpus: Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from evals.training.corpus import summaries

    (tmp_path / "summaries").mkdir()
    (tmp_path / "summaries" / f"{NAME}.txt").write_text(
        "= a\nA Crews stopped work. [a1]\nA Brightwater offered 4 per cent. [a4]\n"
        "= *\nA A strike costs visitors. [a1, b1]\n"
    )
    monkeypatch.setattr(module, "summaries", lambda told: summaries(told, tmp_path))
    found = {e.name: e for e in Builder(corpus, {NAME: "train"}, {}).of(cluster) if "summary" in e.name}
    assert set(found) == {f"{NAME}/summary-a", f"{NAME}/summary-*"}
    one, whole = found[f"{NAME}/summary-a"], found[f"{NAME}/summary-*"]
    assert asked_of(one) == ": Summarise the article “Ferry crews walk out in Lorne”."
    assert asked_of(whole) == ": What are the articles about?"
    names = sentences(cluster)
    cited = [names[rows(one)[int(number)]] for number in re.findall(r"\[(\d+)\]", written(one))]
    assert cited == ["a1", "a4"]
    assert {name[0] for name in map(names.__getitem__, rows(one).values())} == {"a"}
    assert {names[rows(whole)[int(n)]] for n in re.findall(r"\[(\d+)\]", written(whole))} == {"a1", "b1"}
