"""What is learned is what is asked at run time: the same prompts, markers that point at the gold, verdicts of foils."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from evals.training import examples as module
from evals.training.corpus import Cluster, read
from evals.training.examples import Builder, Corpus, Example, opened
from index.embedding import Embedder
from prompts import Message
from rag import evidence, reader
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
    """Those that read evidence once and answer."""
    return {name: each for name, each in made.items() if name.endswith(("/first", "/without", "/once", "/position"))}


def verdict(example: Example) -> str:
    return learned(example).removesuffix("<|im_end|>\n")


def test_every_question_is_read_and_read_on_and_judged_and_every_pair_and_rewrite_is_there(
    made: dict[str, Example], cluster: Cluster
) -> None:
    for question in cluster.questions:
        for part in ("first", "more", "judged0"):
            assert f"{question.id}/{part}" in made
        assert (f"{question.id}/again" in made) == (not question.answerable)
    assert "q22/once" in made, "what compares is read at once too"
    assert {"q20/standalone", "pair0"} <= set(made)
    assert "q01/standalone" not in made


def test_where_the_gold_sentences_are_taken_out_a_refusal_is_learned(made: dict[str, Example]) -> None:
    without = {name: each for name, each in made.items() if name.endswith("/without")}
    assert without
    assert not [name for name in without if name.startswith("q20")], "there never was an answer"
    for name, example in without.items():
        assert rows(example), "something is left to read"
        assert reader.says_none(written(example))
        assert learned(example) == f"{written(example)}<|im_end|>\n"
        if name < "q09":
            assert written(example) == "None of the articles says when the ferry crews stopped work."
            assert BEGIN["a1"] not in prompt(example)
            assert (BEGIN["a2"] in prompt(example)) == (name[:3] != "q02"), "what others answered from goes too"


def test_a_question_without_an_answer_learns_what_is_missing_and_what_there_is(made: dict[str, Example]) -> None:
    said = written(made["q20/first"])
    assert said.startswith("None of the articles says what Pilar Venn asked for. They say only that the crews")
    assert " The articles do not say from when the rise would be paid.<|im_end|>" in told(made["q21/first"])


def test_what_is_read_on_is_passed_over_at_first_and_answered_from_what_comes_then(
    made: dict[str, Example], cluster: Cluster
) -> None:
    names = sentences(cluster)
    for question, gold in GOLD.items():
        example = made[f"{question}/more"]
        head, rest, again, *_ = example.parts[1:]
        assert f"{head.text}{rest.text}" == f"{reader.PASSED}<|im_end|>\n"
        assert (head.weight > 1, rest.weight, again.weight) == (True, 0, 0)
        first, then = (dict(_NUMBERED.findall(part.text)) for part in (example.parts[0], again))
        assert [int(number) for number in (*first, *then)] == list(range(1, len(first) + len(then) + 1))
        assert not set(first.values()) & {BEGIN.get(name) for name in gold.values()}
        assert again.text.startswith("<|im_start|>user\nArticle: ")
        answer = "".join(part.text for part in example.parts[4:])
        pointed = {names[then[number]] for number in re.findall(r"\[(\d+)\]", answer)}
        assert pointed == set(gold.values())


def test_what_is_read_on_in_vain_ends_in_the_whole_refusal(made: dict[str, Example]) -> None:
    never = {name: each for name, each in made.items() if name.endswith(("/never", "/again"))}
    assert never
    for example in never.values():
        assert "None of the articles says " in "".join(part.text for part in example.parts[4:])


def test_the_first_word_of_an_answer_weighs_most_and_the_prompt_nothing(made: dict[str, Example]) -> None:
    for name in ("q01/first", "q20/first", "q22/once"):
        prompt_, first, rest, *_ = made[name].parts
        assert prompt_.weight == 0
        assert first.weight > rest.weight == 1
        assert first.text == written(made[name]).split()[0]


@pytest.mark.parametrize("question", GOLD)
def test_numbers_in_markers_point_at_the_gold_sentences(
    made: dict[str, Example], cluster: Cluster, question: str
) -> None:
    example = made[f"{question}/first"]
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


def test_each_sentence_of_a_right_answer_is_carried_and_a_foil_is_as_far_as_it_says(
    made: dict[str, Example], cluster: Cluster
) -> None:
    words = {"no": "no", "partly": "part", "beside": "part"}
    for question in cluster.questions:
        right = [line.text for line in question.answer if line.cites]
        wrong = [(foil.said.text, words[foil.verdict]) for foil in question.foils]
        for place, (said, told_) in enumerate([(text, "yes") for text in right] + wrong):
            example = made[f"{question.id}/judged{place}"]
            assert f"\n\nAnswer: {said}\n\n" in prompt(example)
            assert verdict(example) == told_


def test_of_several_articles_that_answer_each_is_asked_alone(made: dict[str, Example]) -> None:
    positions = {name: each for name, each in made.items() if name.endswith("/position")}
    assert set(positions) == {"q22/a/position", "q22/b/position"}
    for name, title in (("a", "Ferry crews walk out in Lorne"), ("b", "Islanders count the days")):
        example = positions[f"q22/{name}/position"]
        assert re.findall(r"^Article: (.*) \(", prompt(example), re.MULTILINE) == [title]
        assert ("had offered 4 per cent" in written(example)) == (name == "a")
        assert ("now offers 7 per cent" in written(example)) == (name == "b")


# What is learned and what is asked


def found_in(example: Example, cluster: Cluster, corpus: Corpus) -> list[EvidenceSentence]:
    """The numbered sentences of a prompt, as evidence."""
    names = sentences(cluster)
    found = [corpus.of(cluster, [names[text]])[0] for text in rows(example).values()]
    return list(evidence.renumbered(found))


def test_the_prompt_is_the_one_that_the_reader_gets_byte_for_byte(
    made: dict[str, Example], cluster: Cluster, corpus: Corpus
) -> None:
    questions = {question.id: question for question in cluster.questions}
    examples = reading(made)
    assert len(examples) > 15
    for name, example in examples.items():
        question = questions[name.partition("/")[0]]
        messages = reader.prompt(
            question.standalone or question.text,
            found_in(example, cluster, corpus),
            question.day,
            trained=True,
        )
        assert prompt(example).encode() == opened(messages).encode()
    assert "(asked on 2023-05-10): How large a rise" in asked_of(made["q21/first"])


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


@pytest.mark.parametrize("name", ["q01/judged0", "q21/judged1", "q22/judged0", "q20/judged1"])
def test_the_judge_asks_in_the_words_that_it_was_trained_on(
    name: str, made: dict[str, Example], cluster: Cluster, corpus: Corpus
) -> None:
    example, question = made[name], next(q for q in cluster.questions if q.id == name[:3])
    said = prompt(example).rpartition("\n\nAnswer: ")[2].partition("\n\n")[0]
    llm = Model(verdict(example))
    asked_about = question.standalone or question.text
    found = judged(llm).carried(asked_about, said, found_in(example, cluster, corpus), question.day)
    ((asked, tokens, _),) = llm.calls
    assert opened(asked) == prompt(example)
    assert tokens == 1
    kinds = {"yes": (1.0, 0.0, 0.0), "part": (0.0, 1.0, 0.0), "no": (0.0, 0.0, 1.0)}
    assert (found.yes, found.part, found.no) == kinds[verdict(example)]


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
