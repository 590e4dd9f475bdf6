"""The files are made by hand after each format's description, unless it says that the format's own code wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.gold import BrokenRow, GoldSentence, Kind, read_gold, row_line, write_gold
from evals.importing import Format, Imported, import_gold, write_articles
from index.article import Article
from index.errors import GoldError
from index.reading import read_file
from rag.types import Turn

CONTEXT = "The port opened in 2007. Dr. Holm paid. It burned in 2011."
#          0                        25             40

SQUAD: dict[str, Any] = {
    "version": "v2.0",
    "data": [
        {
            "title": "Old_Port",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "q1",
                            "question": "When did it open?",
                            "is_impossible": False,
                            "answers": [
                                {"text": "2007", "answer_start": 19},
                                {"text": "in 2007", "answer_start": 16},
                                {"text": "2007", "answer_start": 19},
                            ],
                        },
                        {
                            "id": "q2",
                            "question": "Who paid and when did it burn?",
                            "answers": [{"text": "Dr. Holm paid. It burned in 2011", "answer_start": 25}],
                        },
                        {
                            "id": "q3",
                            "question": "Who built it?",
                            "is_impossible": True,
                            "answers": [],
                            "plausible_answers": [{"text": "Dr. Holm", "answer_start": 25}],
                        },
                    ],
                }
            ],
        }
    ],
}

# Written by LabelledRagDataset.save_json of llama-index-core 0.14.8; 0.14.25 no longer has the class.
LABELLED_RAG = """{
    "examples": [
        {
            "query": "When did the port open?",
            "query_by": {
                "model_name": "m",
                "type": "ai"
            },
            "reference_contexts": [
                "The port opened in 2007. It burned in 2011."
            ],
            "reference_answer": "The port opened in 2007.",
            "reference_answer_by": {
                "model_name": "",
                "type": "human"
            }
        },
        {
            "query": "Who pays?",
            "query_by": null,
            "reference_contexts": null,
            "reference_answer": "Nobody knows \\u2014 \\u201cyet\\u201d.",
            "reference_answer_by": null
        }
    ]
}"""


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def save(content: Any, name: str = "set.json") -> Path:
        path = tmp_path / name
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return save


def comes_back(imported: Imported, folder: Path) -> None:
    """What was imported, written and read again, is the same: nothing is lost on the way to a run."""
    write_gold(folder / "written.jsonl", imported.questions)
    write_articles(folder / "articles.jsonl", imported.articles)
    articles = {a.id: a for a in read_file(folder / "articles.jsonl") if isinstance(a, Article)}
    assert {a.id: a.text for a in articles.values()} == {a.id: a.text for a in imported.articles}
    again = read_gold(folder / "written.jsonl", articles)
    assert (again.questions, again.broken) == (imported.questions, ())


def test_squad_gives_questions_articles_and_gold_sentences(save: Callable[..., Path], tmp_path: Path) -> None:
    imported = import_gold(save(SQUAD))
    (article,) = imported.articles
    assert (article.title, article.text) == ("Old Port", CONTEXT)
    opened, paid, built = imported.questions
    assert (opened.id, opened.kind, opened.answerable) == ("q1", Kind.FACT, True)
    assert opened.answers == ("2007", "in 2007")
    assert opened.gold == (GoldSentence(article.id, 0, 24, "The port opened in 2007."),)
    assert [sentence.quote for sentence in paid.gold] == ["Dr. Holm paid.", "It burned in 2011."]
    assert (built.kind, built.answerable, built.answers, built.gold) == (Kind.UNANSWERABLE, False, (), ())
    assert imported.problems == ()
    comes_back(imported, tmp_path)


def test_squad_1_has_no_impossible_questions_and_may_name_its_version_last(save: Callable[..., Path]) -> None:
    question = {"id": "q", "question": "When?", "answers": [{"text": "2011", "answer_start": 53}]}
    data = [{"title": "T", "paragraphs": [{"context": CONTEXT, "qas": [question]}]}]
    (read,) = import_gold(save({"data": data, "version": "1.1"})).questions
    assert read.gold[0].quote == "It burned in 2011."


def test_a_broken_question_of_squad_is_named_and_nothing_else_is_lost(save: Callable[..., Path]) -> None:
    good = SQUAD["data"][0]["paragraphs"][0]["qas"][0]
    answers = [{"text": "2007", "answer_start": 20}], [{"text": "2007"}], "2007", [], [None]
    broken = [good | {"id": f"b{n}", "answers": each} for n, each in enumerate(answers)]
    paragraphs = [
        {"context": CONTEXT, "qas": [*broken, good]},
        {"qas": [good | {"id": "q8"}]},
        {"context": CONTEXT},
        None,
        {"context": CONTEXT, "qas": [good | {"id": "q9"}, good, {"question": "?"}]},
    ]
    imported = import_gold(save({"data": [{"title": ["odd"], "paragraphs": paragraphs}, "odd"]}))
    assert [question.id for question in imported.questions] == ["q1", "q9"]
    assert [problem.line for problem in imported.problems] == [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13]
    assert "does not hold '2007' at `answer_start` 20" in imported.problems[0].problem
    assert "context" in imported.problems[5].problem
    assert "repeats the id 'q1'" in imported.problems[8].problem


def test_what_llamaindex_itself_wrote_is_read(save: Callable[..., Path], tmp_path: Path) -> None:
    imported = import_gold(save(LABELLED_RAG, "rag.json"))
    opened, pays = imported.questions
    (article,) = imported.articles
    assert article.text == "The port opened in 2007. It burned in 2011."
    assert (opened.id, opened.question) == ("rag-1", "When did the port open?")
    assert (opened.reference, opened.answers, opened.gold_articles) == ("The port opened in 2007.", (), (article.id,))
    assert (pays.reference, pays.gold_articles) == ("Nobody knows — “yet”.", ())
    comes_back(imported, tmp_path)


def test_a_broken_example_is_named_and_nothing_else_is_lost(save: Callable[..., Path]) -> None:
    examples = [None, {"query": "Q?", "reference_answer": 7}, {"query": "Q?"}, *json.loads(LABELLED_RAG)["examples"]]
    examples.append({"query": "Q?", "reference_answer": "A.", "reference_contexts": ["\0"]})
    imported = import_gold(save({"examples": examples}))
    assert [question.id for question in imported.questions] == ["set-4", "set-5"]
    assert [problem.line for problem in imported.problems] == [1, 2, 3, 6]


RAGAS_TODAY = {"user_input": "When?", "reference": "In 2007.", "reference_contexts": [CONTEXT], "response": "x"}
RAGAS_BEFORE = {"question": "When?", "ground_truth": "In 2007.", "contexts": [CONTEXT, CONTEXT], "answer": "x"}


@pytest.mark.parametrize("row", [RAGAS_TODAY, RAGAS_BEFORE])
@pytest.mark.parametrize("as_list", [True, False])
def test_ragas_is_read_by_both_its_names_as_list_and_as_lines(
    save: Callable[..., Path], tmp_path: Path, row: dict[str, Any], as_list: bool
) -> None:
    imported = import_gold(save([row, row] if as_list else row_line(row) * 2))
    assert [question.id for question in imported.questions] == ["set-1", "set-2"]
    (article,) = imported.articles
    for question in imported.questions:
        assert (question.question, question.reference) == ("When?", "In 2007.")
        assert question.gold_articles == (article.id,)
    assert article.text == CONTEXT
    comes_back(imported, tmp_path)


def test_a_broken_row_of_ragas_is_named_by_its_line(save: Callable[..., Path]) -> None:
    conversation = {"user_input": [{"content": "Hi", "type": "human"}], "reference": "x"}
    lines = [row_line(RAGAS_TODAY), "{torn\n", "\n", row_line(conversation), "[]\n", row_line({"user_input": "Q?"})]
    imported = import_gold(save("".join([*lines, row_line(RAGAS_TODAY | {"reference_contexts": "x"})])))
    assert [question.id for question in imported.questions] == ["set-1"]
    assert [problem.line for problem in imported.problems] == [2, 4, 5, 6, 7]
    assert "conversation" in imported.problems[1].problem


ARTICLES = {"port": Article("port", "T", "The port opened in 2007. It burned.")}
CSV_ROWS = """question,answers,must,gold,tags,history,answerable,kind,id,asked
When?,2007|in 2007,,port: The port opened in 2007.,date,,,,,2025-07-27
"Which, and who?",,Elmford;Kirkby | Kirkby-on-Sea,,list|place,user: Hm: what? | assistant: That.,TRUE,follow-up,own,
Who built it?,,,,,,false,,,
"""


def test_a_table_is_read_by_the_names_of_its_columns(save: Callable[..., Path], tmp_path: Path) -> None:
    imported = import_gold(save("\ufeff" + CSV_ROWS.replace("\n", "\r\n"), "table.csv"), articles=ARTICLES)
    assert imported.problems == ()
    when, which, who = imported.questions
    assert (when.id, when.kind, when.answerable, when.asked) == ("table-2", Kind.FACT, True, "2025-07-27")
    assert (when.answers, when.tags) == (("2007", "in 2007"), ("date",))
    assert when.gold == (GoldSentence("port", 0, 24, "The port opened in 2007."),)
    assert (which.id, which.kind, which.question) == ("own", Kind.FOLLOW_UP, "Which, and who?")
    assert which.must == (("Elmford",), ("Kirkby", "Kirkby-on-Sea"))
    assert which.history == (Turn("user", "Hm: what?"), Turn("assistant", "That."))
    assert (who.kind, who.answerable) == (Kind.UNANSWERABLE, False)
    write_gold(tmp_path / "written.jsonl", imported.questions)
    assert read_gold(tmp_path / "written.jsonl", ARTICLES).questions == imported.questions


def test_the_documented_table_is_read(save: Callable[..., Path]) -> None:
    text = (Path(__file__).parents[2] / "docs" / "gold.md").read_text("utf-8")
    (block,) = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    imported = import_gold(save(block, "t.csv"), articles=ARTICLES)
    assert (len(imported.questions), imported.problems) == (2, ())


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("When?,2007,extra", "3 cells"),
        ("When?,", "an answerable question needs"),
        (",2007", "a row needs"),
        ('When?,"2007', "not CSV"),
        ('When?,"20"07', "not CSV"),
        ("When?," + "x" * 200_000, "not CSV"),
    ],
)
def test_a_broken_row_of_a_table_is_named_and_nothing_before_it_is_lost(
    save: Callable[..., Path], row: str, told: str
) -> None:
    imported = import_gold(save(f"question,answers\nWhy?,x\n\n{row}", "t.csv"))
    assert [question.id for question in imported.questions] == ["t-2"]
    assert [problem.line for problem in imported.problems] == [4]
    assert told in imported.problems[0].problem


def test_bytes_that_are_not_utf8_spoil_their_own_row_only(save: Callable[..., Path]) -> None:
    imported = import_gold(save(b"question,answers\nWh\xff?,x\nWhy?,x\n", "t.csv"))
    assert [question.question for question in imported.questions] == ["Why?"]
    assert imported.problems[0].line == 2
    assert "not UTF-8" in imported.problems[0].problem


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"answerable": "perhaps"}, "neither true nor false"),
        ({"reviewed": "false"}, "not reviewed yet"),
        ({"gold": "port: It burned."}, "name the corpus"),
        ({"history": "nobody: x"}, "role"),
        ({"must": "a;;b"}, "`must`"),
    ],
)
def test_a_cell_that_cannot_be_used_is_told(save: Callable[..., Path], fields: dict[str, str], told: str) -> None:
    header, row = ",".join(fields), ",".join(fields.values())
    imported = import_gold(save(f"question,answers,{header}\nWhen?,x,{row}\nWhy?,x\n", "t.csv"))
    assert len(imported.questions) == 1
    assert told in imported.problems[0].problem


def test_a_table_with_other_columns_is_refused(save: Callable[..., Path]) -> None:
    with pytest.raises(GoldError, match="'colour'"):
        import_gold(save("question,colour\nWhen?,red\n", "t.csv"))


def benchmark(folder: Path, questions: list[dict[str, Any]]) -> Path:
    articles = [
        {"id": "a1", "title": "T", "source": "wikipedia", "published": None, "url": None, "text": CONTEXT},
        {"id": "a2", "title": "U", "source": "wikipedia", "published": "2025-07-27", "url": "", "text": "It rained ."},
    ]
    (folder / "articles.jsonl").write_text("".join(map(row_line, articles)), "utf-8")
    (folder / "questions.jsonl").write_text("".join(map(row_line, questions)), "utf-8")
    return folder


def test_each_kind_of_benchmark_row_becomes_a_question(tmp_path: Path) -> None:
    base = {"question": "When?", "answerable": True}
    news = base | {
        "id": "n",
        "asked": "2025-07-18",
        "answers": ["2007"],
        "choices": ["1"],
        "gold_articles": ["a1", "a2"],
    }
    long_form = base | {"id": "c", "answers": ["It was 2007.", "2007"], "gold_articles": ["a2", "a1"], "passage": "a1"}
    long_form |= {"gold_sentences": ["It burned in 2011.", "It rained ."]}
    two_hop = base | {"id": "2", "answers": [], "gold_articles": ["a1", "a2"]}
    none = {
        "id": "u",
        "question": "Who?",
        "answerable": False,
        "answers": [],
        "gold_articles": [],
        "gold_sentences": [],
    }
    imported = import_gold(benchmark(tmp_path, [news, long_form, two_hop, none]))
    assert imported.problems == ()
    assert imported.articles == ()
    read = {question.id: question for question in imported.questions}
    assert (read["n"].asked, read["n"].answers, read["n"].gold_articles) == ("2025-07-18", ("2007",), ("a1", "a2"))
    assert (read["c"].answers, read["c"].reference) == ((), "It was 2007.")
    assert read["c"].gold == (
        GoldSentence("a1", 40, 58, "It burned in 2011."),
        GoldSentence("a2", 0, 11, "It rained ."),
    )
    assert (read["2"].answerable, read["2"].answers, read["2"].gold_articles) == (True, (), ("a1", "a2"))
    assert (read["u"].kind, read["u"].answerable) == (Kind.UNANSWERABLE, False)


def test_a_broken_benchmark_row_is_named_and_nothing_else_is_lost(tmp_path: Path) -> None:
    good = {"id": "1", "question": "When?", "answerable": True, "answers": ["2007"], "gold_articles": ["a1"]}
    rows: list[Any] = [
        good,
        good | {"id": "2", "gold_articles": ["a9"]},
        good | {"id": "3", "gold_sentences": ["Sank."]},
    ]
    rows += [[], good | {"id": "5", "answers": "2007"}, good | {"id": "6", "answerable": None}, good | {"id": "7"}]
    imported = import_gold(benchmark(tmp_path, rows), "benchmark")
    assert [question.id for question in imported.questions] == ["1", "7"]
    assert [problem.line for problem in imported.problems] == [2, 3, 4, 5, 6]
    assert imported.problems[0].problem == "there is no article 'a9' in the corpus"
    assert "'Sank.'" in imported.problems[1].problem


def test_a_set_that_brings_its_own_passages_is_refused(tmp_path: Path) -> None:
    (tmp_path / "questions.jsonl").write_text("{}\n")
    with pytest.raises(GoldError, match=r"no articles\.jsonl"):
        import_gold(tmp_path)


@pytest.mark.parametrize("format", [*Format])
@pytest.mark.parametrize("content", [b"", b" \n\n"])
def test_an_empty_file_is_told(save: Callable[..., Path], format: Format, content: bytes) -> None:
    with pytest.raises(GoldError, match="is empty"):
        import_gold(save(content), format)


@pytest.mark.parametrize("format", [Format.SQUAD, Format.LABELLED_RAG])
@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 200_000, b"[]", b"7"])
def test_hostile_documents_are_refused_in_words(save: Callable[..., Path], format: Format, content: bytes) -> None:
    with pytest.raises(GoldError, match=r"set\.json"):
        import_gold(save(content), format)


@pytest.mark.parametrize("content", ["Just text.", '{"colour": "red"}', '{"id": "1", "kind": "fact", "question": "?"}'])
def test_what_no_format_fits_is_not_guessed_at(save: Callable[..., Path], content: str) -> None:
    with pytest.raises(GoldError, match="looks like none of the known formats"):
        import_gold(save(content))


def test_an_unknown_format_and_a_missing_file_are_errors(tmp_path: Path, save: Callable[..., Path]) -> None:
    with pytest.raises(GoldError, match="'excel'; known are auto, squad"):
        import_gold(save(SQUAD), "excel")
    with pytest.raises(GoldError, match="can't be read"):
        import_gold(tmp_path / "nowhere.json")


def test_a_document_beyond_the_limit_is_refused(save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evals.importing.MAX_DOCUMENT_BYTES", 100)
    with pytest.raises(GoldError, match="Split it"):
        import_gold(save(SQUAD))


def test_problems_are_broken_rows(save: Callable[..., Path]) -> None:
    imported = import_gold(save("question,answers\nWhy?,x\n,x\n", "t.csv"))
    assert imported.problems == (BrokenRow(3, "a row needs at least id, kind, question, answerable"),)
