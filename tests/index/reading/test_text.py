from __future__ import annotations

from pathlib import Path

import pytest

from index.reading import MAX_FIELD, read_file
from tests.index.reading.results import Write, article, problem, reading

BODY = "The mill burned down on Sunday. Rebuilding it will take two years."


def test_front_matter_becomes_fields_and_the_rest_the_text(write: Write) -> None:
    path = write(
        "a.md",
        "---\ntitle: A title\nsource: The Paper\nauthor: Kim\npublished: 2025-07-27T10:00Z\n"
        "url: https://example.org/a\nnote: reprint\n---\n\nThe text.\n",
    )
    found = article(path)
    assert found.text == "The text.\n"
    assert (found.id, found.title, found.source, found.author) == ("a", "A title", "The Paper", "Kim")
    assert (found.published, found.url, found.note) == ("2025-07-27", "https://example.org/a", "reprint")
    assert found.origin == str(path)


def test_front_matter_values_stay_the_strings_they_are(write: Write) -> None:
    found = article(write("a.md", "---\ntitle: no\nauthor: 0123\npublished: 2024-02\nsource: 1e3\n---\nText."))
    assert (found.title, found.author, found.published, found.source) == ("no", "0123", "2024-02", "1e3")


@pytest.mark.parametrize("null", ["null", "Null", "NULL", "~", ""])
def test_a_null_of_yaml_is_no_value(write: Write, null: str) -> None:
    head = "".join(f"{field}: {null}\n" for field in ("id", "title", "author", "source", "published"))
    found = article(write("mill.md", f"---\n{head}---\n{BODY}"))
    assert (found.id, found.title) == ("mill", BODY)
    assert (found.author, found.source, found.published) == ("", "", "")


@pytest.mark.parametrize("word", ['"null"', "'~'", "nullable"])
def test_what_only_looks_like_a_null_of_yaml_is_kept(write: Write, word: str) -> None:
    assert article(write("a.md", f"---\ntitle: {word}\n---\n{BODY}")).title == word.strip("\"'")


@pytest.mark.parametrize(
    "fences",
    [
        "---\ntitle: Mill burned\n---\n",
        "---  \ntitle: Mill burned\n---\n",
        "---\ntitle: Mill burned\n--- \t\n",
        "---\ntitle: Mill burned\n...\n",
        "\n\n---\ntitle: Mill burned\n---\n",
        " \n---\ntitle: Mill burned\n---\n\n\n",
        "---\r\ntitle: Mill burned\r\n---\r\n",
        "\ufeff---\ntitle: Mill burned\n---\n",
        "---\n# a comment\ntitle: Mill burned\n---\n",
        '---\n"title": Mill burned\n---\n',
        "+++\ntitle = 'Mill burned'\n+++\n",
        "\n+++ \ntitle = 'Mill burned'\n+++ \n",
    ],
)
def test_fences_with_spaces_or_empty_lines_are_front_matter_all_the_same(write: Write, fences: str) -> None:
    found = article(write("a.md", fences + BODY))
    assert (found.title, found.text) == ("Mill burned", BODY)


@pytest.mark.parametrize(
    "text",
    [
        f"---\n\n{BODY}",
        f"---\n\n{BODY}\n\n---\n\nMore of it.",
        f"---\njust words\n---\n{BODY}",
        f"---\n- one\n- two\n---\n{BODY}",
        f"----\ntitle: T\n----\n{BODY}",
        f"***\n\n{BODY}",
        f"{BODY}\n\n---\ntitle: T\n---\n",
    ],
)
def test_a_text_that_begins_with_a_rule_is_a_text(write: Write, text: str) -> None:
    assert article(write("a.md", text)).text == text


def test_a_rule_further_down_does_not_end_the_text(write: Write) -> None:
    found = article(write("a.md", f"---\ntitle: T\n---\n{BODY}\n\n---\n\nMore of it."))
    assert (found.title, found.text) == ("T", f"{BODY}\n\n---\n\nMore of it.")


def test_empty_front_matter_is_no_front_matter(write: Write) -> None:
    assert article(write("a.md", "---\n---\nBody.")).text == "Body."


def test_toml_front_matter_keeps_dates_numbers_and_lists(write: Write) -> None:
    head = "title = 'T'\ndate = 2025-03-04T10:00:00Z\nauthors = ['Ann Lee', 'Bo Chan']\nid = 7\n"
    found = article(write("a.md", f"+++\n{head}+++\n{BODY}"))
    assert (found.published, found.author, found.id, found.text) == ("2025-03-04", "Ann Lee, Bo Chan", "7", BODY)


def test_pandocs_title_block_names_title_authors_and_date(write: Write) -> None:
    found = article(write("a.md", f"% Mill burned\n  to the ground\n% Ann Lee; Bo Chan\n% 4 March 2025\n\n{BODY}"))
    assert (found.title, found.author) == ("Mill burned to the ground", "Ann Lee, Bo Chan")
    assert (found.published, found.text) == ("2025-03-04", BODY)


def test_pandocs_authors_may_stand_a_line_each_and_the_date_may_lack(write: Write) -> None:
    found = article(write("a.md", f"% Mill burned\n% Ann Lee\n  Bo Chan\n\n{BODY}"))
    assert (found.author, found.published, found.text) == ("Ann Lee, Bo Chan", "", BODY)


def test_a_list_of_authors_becomes_one_line(write: Write) -> None:
    assert article(write("a.md", "---\nauthor: [Ann Lee, Bo Chan]\n---\nText.")).author == "Ann Lee, Bo Chan"


def test_a_text_file_keeps_everything_even_what_looks_like_front_matter(write: Write) -> None:
    text = "---\ntitle: X\n---\nBody."
    assert article(write("a.txt", text)).text == text


def test_plain_text_is_named_by_its_first_line_and_dated_by_a_line_that_is_a_date(write: Write) -> None:
    found = article(write("a.txt", "# Talks in Islamabad\n2025-04-16\n\nThey met."))
    assert (found.title, found.published) == ("Talks in Islamabad", "2025-04-16")


@pytest.mark.parametrize(
    ("first", "title"),
    [
        ("Mill burned", "Mill burned"),
        ("## Mill burned", "Mill burned"),
        ("# Mill burned #", "Mill burned"),
        ("**Mill burned**", "Mill burned"),
        ("[Mill burned](https://example.org/a)", "Mill burned"),
    ],
)
def test_a_heading_is_the_title_without_its_marks(write: Write, first: str, title: str) -> None:
    assert article(write("a.md", f"{first}\n\n{BODY}")).title == title


@pytest.mark.parametrize(
    ("head", "author", "published"),
    [
        ("By Ann Lee", "Ann Lee", ""),
        ("By Ann Lee, science correspondent", "Ann Lee", ""),
        ("By Ann Lee and Bo Chan", "Ann Lee and Bo Chan", ""),
        ("By Ann Lee | 4 March 2025", "Ann Lee", "2025-03-04"),
        ("Von Jörg Maier\n8. November 2024", "Jörg Maier", "2024-11-08"),
        ("Par Anne de Villiers · 3 juillet 2025", "Anne de Villiers", "2025-07-03"),
        ("By the river the mill stood", "", ""),
    ],
)
def test_lines_below_the_headline_say_who_and_when(write: Write, head: str, author: str, published: str) -> None:
    found = article(write("a.txt", f"Mill burned\n{head}\n\n{BODY}"))
    assert (found.title, found.author, found.published) == ("Mill burned", author, published)


def test_a_date_within_the_first_paragraph_is_not_when_it_came_out(write: Write) -> None:
    assert article(write("a.txt", "Mill burned\n\nIt burned on 4 March 2025 at night.")).published == ""


def test_front_matter_comes_before_what_the_first_lines_say(write: Write) -> None:
    found = article(write("a.md", f"---\ntitle: A\npublished: 2020\n---\n# B\n2025-03-04\n\n{BODY}"))
    assert (found.title, found.published) == ("A", "2020")


def test_text_without_a_headline_is_called_by_its_first_words(write: Write) -> None:
    title = article(write("a.txt", "word " * 60 + ".")).title
    assert title.startswith("word word")
    assert title.endswith(" …")
    assert len(title) <= 82


def test_a_file_is_called_by_its_name_without_signs(write: Write) -> None:
    assert article(write("Über (alles) 1.2.md", BODY)).id == "Über-alles-1.2"
    assert article(write("(!).md", BODY)).id == "article"


@pytest.mark.parametrize("text", ["a\r\nb\r\n", "a\rb\r"])
def test_line_ends_of_other_systems_become_line_feeds(write: Write, text: str) -> None:
    assert article(write("a.txt", text.encode())).text == "a\nb\n"


def test_an_ordinary_file_needs_no_note(write: Write) -> None:
    found = reading(write("a.md", f"---\ntitle: T\n---\n{BODY}"))
    assert (found.notes, found.unused) == ((), ())


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n\t\n", "is empty"),
        ("a.txt", "\u200b\n\u200b".encode(), "is empty"),
        ("a.txt", b"--- *** ---", "is empty"),
        ("a.md", b"---\ntitle: T\n---\n\n", "is empty"),
        ("a.txt", b"one\0two", "NUL"),
        ("a.md", b"---\ntitle: T\n\nBody without an end of the front matter.", "never closed"),
        ("a.md", b"---\ntitle: a: b\n---\nBody.", "not YAML"),
        ("a.md", b"+++\ntitle = bare\n+++\nBody.", "not TOML"),
        ("a.md", b"---\ntitle: {a: b}\n---\nBody.", "plain text"),
        ("a.md", b"---\npublished: last week\n---\nBody.", "'last week'"),
        ("a.md", b"---\npublished: 27.07.2025\n---\nBody.", "2025-07-27"),
        ("a.md", b"---\ntitle: " + b"x" * (MAX_FIELD + 1) + b"\n---\nBody.", str(MAX_FIELD + 1)),
    ],
)
def test_a_bad_file_is_a_problem_that_says_why(write: Write, name: str, content: bytes, told: str) -> None:
    path = write(name, content)
    found = problem(path)
    assert told in found.message
    assert found.origin == str(path)


def test_a_field_of_the_greatest_length_is_kept(write: Write) -> None:
    assert len(article(write("a.md", f"---\ntitle: {'x' * MAX_FIELD}\n---\nBody.")).title) == MAX_FIELD


@pytest.mark.parametrize("escaped", ["\\uD800", "\\0"], ids=["lone surrogate", "NUL"])
def test_an_escape_in_front_matter_that_cannot_be_stored_is_a_problem(write: Write, escaped: str) -> None:
    assert "title" in problem(write("a.md", f'---\ntitle: "x{escaped}y"\n---\nBody.')).message


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!python/object/new:os.system"])
def test_a_python_tag_in_front_matter_runs_nothing(write: Write, tmp_path: Path, tag: str) -> None:
    mark = tmp_path / "ran"
    read = list(read_file(write("a.md", f"---\ntitle: {tag} ['touch {mark}']\n---\nBody.")))
    assert len(read) == 1
    assert not mark.exists()


@pytest.mark.parametrize("head", ["---\ntitle: {}\n---\n", "+++\ntitle = {}\n+++\n"], ids=["yaml", "toml"])
def test_front_matter_that_is_nested_without_end_is_a_problem(write: Write, head: str) -> None:
    assert "front matter" in problem(write("a.md", head.format("[" * 20_000) + "Body.")).message


def test_a_file_that_vanishes_before_it_is_read_is_a_problem(folder: Path) -> None:
    assert "No such file" in problem(folder / "gone.txt").message
