"""The corpus can be read whole, what is wrong in a file is named with its line, and blind answers can be counted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evals.training import corpus
from evals.training.corpus import FOLDER, KINDS, NOT_THERE, CorpusError, Written, agreement, blind, clusters, read
from evals.training.examples import conversations
from tests.evals.training.ferry import CLUSTER

NAMES = [path.stem for path in sorted(FOLDER.glob("*.txt"))]


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def written(text: str) -> Path:
        path = tmp_path / "ferry.txt"
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.mark.parametrize("name", NAMES)
def test_every_cluster_and_what_belongs_to_it_can_be_read(name: str) -> None:
    cluster = read(FOLDER / f"{name}.txt")
    assert 4 <= len(cluster.articles) <= 6
    assert cluster.pairs
    told = corpus.summaries(cluster)
    if name[1] in "89":  # the clusters of quiz questions
        assert {question.day != "" for question in cluster.questions} == {True}
        assert not told
    else:
        assert {question.kind for question in cluster.questions} >= set(KINDS) - {"orders"}
        assert set(told) == {"*", *(article.letter for article in cluster.articles)}
    assert all(line.cites for lines in told.values() for line in lines)
    assert set(blind(cluster)) == {question.id for question in cluster.questions}


def test_everything_in_the_folder_is_read_by_name_and_no_file_is_left_over() -> None:
    assert [cluster.name for cluster in clusters()] == NAMES
    assert [path.stem for path in sorted((FOLDER / "blind").iterdir())] == NAMES
    summed_up = [name for name in NAMES if name[1] not in "89"]
    assert [path.stem for path in sorted((FOLDER / "summaries").iterdir())] == summed_up


def test_every_row_of_the_conversations_is_an_example_and_one_in_ten_is_held_out() -> None:
    paths = sorted(FOLDER.glob("*.jsonl"))
    rows = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    examples = list(conversations(paths))
    assert len(examples) == len(rows) > 800
    for row, example in zip(rows, examples, strict=True):
        prompt, *learned = example.parts
        assert f"Last question: {row['said']}" in prompt.text
        assert "".join(part.text for part in learned) == f"{row['kind']}: {row['question']}".strip() + "<|im_end|>\n"
    held = sum(example.split == "tuning" for example in examples)
    assert held == sum(len(path.read_text().splitlines()) // 10 for path in paths)


def test_a_cluster_is_read_as_it_is_written(written: Callable[[str], Path]) -> None:
    cluster = read(written(CLUSTER))
    first, second = cluster.articles
    assert (cluster.name, cluster.subject) == ("ferry", "Ferry strike on the Lorne coast")
    assert (first.letter, first.source, first.author, first.date) == ("a", "Lorne Courier", "Ines Okafor", "2023-05-02")
    assert [[name for name, _ in paragraph] for paragraph in first.paragraphs] == [["a1", "a2", "a3"], ["a4", "a5"]]
    assert first.text.count("\n\n") == 1
    assert second.author == ""
    by_id = {question.id: question for question in cluster.questions}
    followup, partly = by_id["q20"], by_id["q21"]
    assert followup.history == (("Who speaks for the crews?", "Pilar Venn speaks for the crews."),)
    assert followup.standalone.startswith("What did Pilar Venn")
    assert (followup.answerable, followup.gold) == (False, frozenset({"a3"}))
    assert (partly.day, partly.answerable, partly.gold) == ("2023-05-10", True, frozenset({"a4", "b2"}))
    assert partly.answer[1] == Written(f"{NOT_THERE} from when the rise would be paid.")
    (foil,) = partly.foils
    assert (foil.verdict, foil.kind, foil.said) == ("beside", "other", Written("A goat was seen on the pier.", ("a5",)))
    (pair,) = cluster.pairs
    assert (pair.relation, pair.first, pair.second) == ("update", "a4", "b2")


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("# Ferry strike on the Lorne coast\n", "Ferry strike\n", "Ferry strike", "the first line is `# subject`"),
        ("| Tevay Herald | |", "| Tevay Herald |", "## b |", "an article needs `## letter | title"),
        ("2023-05-09", "9 May 2023", "## b |", "the date '9 May 2023' is not of the form"),
        ("a4 The company", "a5 The company", "a5 The company", "expected the sentence a4, found 'a5'"),
        ("? q20 followup", "? q20 rumour", "? q20", "a question begins with `? id kind`"),
        ("K what Pilar Venn asked for\n", "", "F partly", "q20 has no line `K`"),
        ("K what Pilar Venn asked for\n", "K what she asked for.\n", "F partly", "`K` is a clause without a full stop"),
        ("eighteen months. [a3]\nF", "eighteen months.\nF", "F partly", "rests on no sentence"),
        ("what Pilar Venn asked for.\nA", "what she wants. [a3]\nA", "F partly", "put what they do say into a line of"),
        ("F partly invented", "F perhaps invented", "F perhaps", "the verdicts are no, partly, beside"),
        ("eighteen months. [a3]\n\n", "eighteen months. [a3, c9]\n\n", "F partly", "there is no sentence c9"),
        ("crews? | Pilar Venn speaks for the crews.", "crews?", "F partly", "an earlier turn is `H question | answer`"),
        ("S What did Pilar Venn, who speaks for the ferry crews, ask for?\n", "", "F partly", "both `H` and `S`"),
        ("= update", "= mirrors", "= mirrors", "the relations are contradict, update, agree, apart"),
        ("= update a4 b2", "= update a4 a1", "= update", "from different articles"),
        ("= update a4 b2", "= update a4 b8", "= update", "there is no sentence b8"),
        ("\n= update", "\nAnd so on.\n= update", "And so on.", "a line begins with ##, ?, ="),
    ],
)
def test_what_is_wrong_is_named_with_the_file_and_the_line(
    written: Callable[[str], Path], old: str, new: str, line: str, told: str
) -> None:
    assert CLUSTER.count(old) == 1
    text = CLUSTER.replace(old, new)
    (number,) = [n for n, each in enumerate(text.split("\n"), start=1) if each.startswith(line)]
    with pytest.raises(CorpusError) as caught:
        read(written(text))
    assert str(caught.value).startswith(f"ferry.txt, line {number}: ")
    assert told in str(caught.value)


def test_two_questions_of_one_id_are_refused(written: Callable[[str], Path]) -> None:
    with pytest.raises(CorpusError, match=r"ferry\.txt: the ids q20 stand for two questions"):
        read(written(CLUSTER.replace("? q21", "? q20")))


def test_a_summary_of_sentences_that_are_not_there_is_named(written: Callable[[str], Path], tmp_path: Path) -> None:
    cluster = read(written(CLUSTER))
    assert corpus.summaries(cluster, tmp_path) == {}
    (tmp_path / "summaries").mkdir()
    path = tmp_path / "summaries" / "ferry.txt"
    path.write_text("= a\nA Crews struck. [a1]\nA Nobody crossed. [a2]\n= *\nA A strike. [a1, b1]\n")
    assert {letter: len(lines) for letter, lines in corpus.summaries(cluster, tmp_path).items()} == {"a": 2, "*": 1}
    path.write_text("= a\nA Crews struck. [a1]\nA Nobody crossed. [a20]\n")
    with pytest.raises(CorpusError, match=r"ferry\.txt, line 3: there is no sentence a20"):
        corpus.summaries(cluster, tmp_path)
    path.write_text("= a\n\nCrews struck.\n")
    with pytest.raises(CorpusError, match=r"ferry\.txt, line 3: a line begins with"):
        corpus.summaries(cluster, tmp_path)


def test_blind_answers_are_the_ids_that_the_cluster_knows(written: Callable[[str], Path], tmp_path: Path) -> None:
    cluster = read(written(CLUSTER))
    assert blind(cluster, tmp_path) == {}
    (tmp_path / "blind").mkdir()
    (tmp_path / "blind" / "ferry.txt").write_text(
        "q01 | On Tuesday. | a1 a2\nq20 | NOT what she wants | a3, z9\nq22 | Nothing. |\n# agreed 2 of 3\n"
    )
    assert blind(cluster, tmp_path) == {"q01": ("a1", "a2"), "q20": ("a3",), "q22": ()}


def test_agreement_is_the_sum_over_the_files_of_blind_answers(tmp_path: Path) -> None:
    folder = tmp_path / "blind"
    folder.mkdir()
    (folder / "one.txt").write_text("q01 | Yes. | a1\n# agreed 53 of 54, gold changed 1, dropped 0\n")
    (folder / "two.txt").write_text("# agreed 7 of 10\n")
    assert agreement(tmp_path) == (60, 64)
    for wrong in ("q01 | Yes. | a1\n", "# agreed 1 of 2\n# agreed 1 of 2\n", "# agreed 3 of 2\n"):
        (folder / "three.txt").write_text(wrong)
        with pytest.raises(CorpusError, match=r"three\.txt: write one line `# agreed N of M`"):
            agreement(tmp_path)


def test_every_question_of_the_corpus_was_answered_blind_and_most_agree() -> None:
    agreed, asked = agreement()
    assert asked == sum(len(cluster.questions) for cluster in clusters())
    assert 0.95 * asked < agreed <= asked


def test_the_command_checks_files_shows_them_without_answers_and_counts(written: Callable[[str], Path]) -> None:
    def command(*arguments: str) -> tuple[int, str]:
        child = subprocess.run(
            [sys.executable, "-m", "evals.training.corpus", *arguments],
            cwd=FOLDER.parents[2], capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return child.returncode, child.stdout

    path = written(CLUSTER)
    code, out = command("check", str(path))
    assert code == 0
    assert out.startswith("ferry.txt: 2 articles of ")
    assert "11 questions, 1 pairs" in out
    code, out = command("blind", str(path))
    assert code == 0
    assert "Q What did she ask for?" in out
    assert "They say only" not in out
    assert "A goat was seen on the pier." in out, "the articles are shown"
    agreed, asked = agreement()
    assert command("agreement") == (0, f"agreed {agreed} of {asked} ({agreed / asked:.1%})\n")
    assert command("check", str(written(CLUSTER.replace("? q21", "? q20"))))[0] == 1
