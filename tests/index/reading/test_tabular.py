from __future__ import annotations

import csv
import io

import pytest

from index.reading import MAX_FIELD, Given, Reading
from tests.index.reading.results import FLOWING, WRAPPED, Write, article, articles, problem, reading, readings, results


def test_rows_keep_their_text_to_the_letter_and_name_their_line(write: Write) -> None:
    text = " A\r\nb\u2028c \U0001f600 e\u0301\u00ad "
    path = write("news.jsonl", [{"id": 7, "text": text, "title": "T", "published": 2025}])
    found = article(path)
    assert (found.id, found.text, found.published, found.origin) == ("7", text, "2025", f"{path}:1")


def test_the_text_of_a_row_is_not_laid_out_anew(write: Write) -> None:
    assert article(write("a.ndjson", [{"id": "1", "text": WRAPPED}])).text == WRAPPED


@pytest.mark.parametrize("name", ["text", "body", "content", "articleBody", "full_text", "raw_text"])
def test_a_text_is_found_under_the_names_it_has_in_practice(write: Write, name: str) -> None:
    assert article(write("a.jsonl", [{"id": "1", name: "The mill burned."}])).text == "The mill burned."


def test_torn_and_bad_rows_are_named_by_their_line_and_the_others_are_read(write: Write) -> None:
    good = b'{"id": "%d", "text": "Fine."}\n'
    path = write(
        "news.jsonl", good % 1 + b'{"id": "2", "te\n' + b"\n" + b"[1]\n" + b"\xff\n" + good % 6 + b'{"id": "7"'
    )
    read = results(path)
    origins = [each.article.origin if isinstance(each, Reading) else each.origin for each in read]
    assert [origin.rpartition(":")[2] for origin in origins] == ["1", "2", "4", "5", "6", "7"]
    assert [isinstance(each, Reading) for each in read] == [True, False, False, False, True, False]
    assert "not JSON" in read[1].message  # type: ignore[union-attr]
    assert "not UTF-8 (byte 0 of the line)" in read[3].message  # type: ignore[union-attr]


def test_a_byte_order_mark_is_no_part_of_the_first_row(write: Write) -> None:
    assert article(write("a.jsonl", '\ufeff{"id": "1", "text": "Fine."}\r\n')).id == "1"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('{"text": "No id."}', "no `id`"),
        ('{"id": "1"}', "no `text`"),
        ('{"id": "1", "text": ""}', "no `text`"),
        ('{"id": "1", "text": null}', "no `text`"),
        ('{"id": "1", "text": NaN}', "no `text`"),
        ('{"id": "1", "text": "  "}', "no `text`"),
        ('{"id": "1", "text": 5}', "a number as its `text`"),
        ('{"id": "1", "text": true}', "no `text`"),
        ('{"id": "1", "text": ["one", "two"]}', "a list as its `text`"),
        ('{"id": "1", "body": {"en": "one"}}', "an object as its `body`"),
        ('{"id": "1", "text": "a\\u0000b"}', "NUL character in `text`"),
        ('{"id": "a\\u0000b", "text": "T"}', "NUL character in `id`"),
        ('{"id": "1", "text": "bad \\ud800 half"}', "half of a surrogate pair in `text` (character 4)"),
        ('{"id": "1", "text": "T", "title": "\\udfff"}', "surrogate pair in `title`"),
        ('{"id": "1", "text": "T", "published": "soon"}', "'soon'"),
        ('{"id": "1", "text": "T", "source": {"a": 1}}', "plain text"),
        ('{"id": "1", "text": "T", "source": "' + "x" * (MAX_FIELD + 1) + '"}', "source"),
        ('{"id": "1", "text": ' + "[" * 100_000, "nested"),
        ('{"id": ' + "9" * 5_000 + ', "text": "T"}', "digits"),
        ('"a string"', "not a JSON object"),
    ],
)
def test_a_bad_row_is_a_problem_that_says_why(write: Write, row: str, told: str) -> None:
    path = write("news.jsonl", row)
    found = problem(path)
    assert told in found.message
    assert found.origin == f"{path}:1"


def test_a_title_is_not_blamed_for_half_a_surrogate_pair_in_the_text(write: Write) -> None:
    assert "`title`" not in problem(write("a.jsonl", '{"id": "1", "text": "bad \\udc00 half"}')).message


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_file_without_rows_is_empty(write: Write, content: str) -> None:
    path = write("a.jsonl", content)
    assert problem(path).origin == str(path)
    assert "is empty" in problem(path).message


def test_mapped_columns_come_before_the_names_in_practice(write: Write) -> None:
    row = {"nr": 1, "body": "Not this.", "Artikel": "The mill burned.", "Datum": "4 March 2025", "title": "T"}
    columns = {"id": "nr", "text": "Artikel", "published": "Datum"}
    found = reading(write("a.jsonl", [row]), Given(columns=columns))
    assert (found.article.id, found.article.text, found.article.published) == ("1", "The mill burned.", "2025-03-04")
    assert (found.article.title, found.unused) == ("T", ("body",))
    table = "nr,Artikel,Datum,title\n1,The mill burned.,4 March 2025,T\n"
    assert article(write("a.csv", table), Given(columns=columns)).text == "The mill burned."


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_table_is_read_whatever_parts_its_columns_and_lines(write: Write, delimiter: str, line_end: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end)
    writer.writerows([["id", "text", "title"], ["1", 'It said: "one, two; three | four".', "A"], ["2", "Two.", "B"]])
    found = articles(write("news.csv", text.getvalue()))
    assert [(each.id, each.text, each.title) for each in found] == [
        ("1", 'It said: "one, two; three | four".', "A"),
        ("2", "Two.", "B"),
    ]


def test_a_cell_may_hold_line_breaks_and_the_row_is_named_by_its_last_line(write: Write) -> None:
    path = write("a.csv", 'id,text\n1,"First line.\n\nSecond line."\n2,Two.\n')
    assert [(each.text, each.origin) for each in articles(path)] == [
        ("First line.\n\nSecond line.", f"{path}:4"),
        ("Two.", f"{path}:5"),
    ]


def test_the_text_of_a_cell_is_laid_out_as_that_of_a_file(write: Write) -> None:
    assert article(write("a.csv", f'id,text\n1,"{WRAPPED}"\n')).text == FLOWING.strip()


def test_quoted_column_names_and_a_byte_order_mark_are_understood(write: Write) -> None:
    found = reading(write("a.csv", '\ufeffid,"the, rest", text \n1,x,Two.\n'))
    assert (found.article.id, found.article.text, found.unused) == ("1", "Two.", ("the, rest",))


def test_rows_that_are_short_long_or_empty_spoil_no_others(write: Write) -> None:
    path = write("a.tsv", "id\ttext\tpublished\n1\tOne.\t2024-01-02\n\n2\tTwo.\n3\ta\tb\tc\n4\n5\tFive.\t\n")
    read = results(path)
    assert [each.article.id for each in read if isinstance(each, Reading)] == ["1", "2", "5"]
    told = {each.origin.rpartition(":")[2]: each.message for each in read if not isinstance(each, Reading)}
    assert told["5"] == "has 4 cells, but the first row names 3 columns."
    assert "has no `text`" in told["6"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty; its first row names the columns"),
        ("id,text\n", "is empty; it holds no article"),
        ("id,id,text\n1,2,x\n", "names a column twice"),
        ('id,text\n1,"never closed\n2,b\n', "is not CSV"),
    ],
)
def test_a_bad_table_is_a_problem_that_says_why(write: Write, content: str, told: str) -> None:
    assert told in problem(write("a.csv", content)).message


def test_a_table_in_another_encoding_is_read_and_told(write: Write) -> None:
    row = "1,Über die Brücke führt eine Straße; das ist schön.,Größe\n"
    found = reading(write("a.csv", f"id,text,title\n{row}".encode("cp1252")))
    assert (found.article.title, found.notes) == ("Größe", ("read as windows-1252",))


def test_dates_of_a_column_are_understood_together(write: Write) -> None:
    path = write("a.csv", "id,text,published\n1,One.,04/15/2024\n2,Two.,03/04/2024\n3,Three.,2024-01-02\n4,Four.,\n")
    assert [each.published for each in articles(path)] == ["2024-04-15", "2024-03-04", "2024-01-02", ""]


def test_dates_with_dots_have_the_day_first(write: Write) -> None:
    path = write("a.csv", "id;text;published\n1;Eins.;04.03.2024\n2;Zwei.;05.06.2024\n")
    assert [each.published for each in articles(path)] == ["2024-03-04", "2024-06-05"]


def test_dates_that_may_be_two_days_leave_the_rows_undated_and_say_so(write: Write) -> None:
    found = readings(write("a.csv", "id,text,published\n1,One.,03/04/2024\n2,Two.,05/06/2024\n"))
    assert [each.article.published for each in found] == ["", ""]
    assert [each.notes for each in found] == [
        ("undated: 03/04/2024 may be two days",),
        ("undated: 05/06/2024 may be two days",),
    ]


def test_a_cell_that_is_no_date_fails_its_row_alone(write: Write) -> None:
    read = results(write("a.csv", "id,text,published\n1,One.,soon\n2,Two.,2024\n"))
    assert "'soon'" in read[0].message  # type: ignore[union-attr]
    assert isinstance(read[1], Reading)
