from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from index.article import Article
from index.reading import MAX_FIELD, Given
from tests.index.reading.results import Write, article, problem, reading

BODY = "The mill burned down on Sunday. Rebuilding it will take two years."


@pytest.fixture
def page(write: Write) -> Callable[[str], Any]:
    """Writes an article with this front matter."""
    return lambda head: write("mill.md", f"---\n{head}\n---\n{BODY}")


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("Title: Mill burned", "title", "Mill burned"),
        ("headline: Mill burned", "title", "Mill burned"),
        ("date: 2025-03-04", "published", "2025-03-04"),
        ("Published: 2025-03-04", "published", "2025-03-04"),
        ("DATE-PUBLISHED: 2025-03-04", "published", "2025-03-04"),
        ("publication_date: 4 March 2025", "published", "2025-03-04"),
        ("pubDate: Tue, 04 Mar 2025 10:00:00 GMT", "published", "2025-03-04"),
        ("byline: Ann Lee", "author", "Ann Lee"),
        ("authors: [Ann Lee, Bo Chan]", "author", "Ann Lee, Bo Chan"),
        ("authors: [{name: Ann Lee}, {name: Bo Chan}]", "author", "Ann Lee, Bo Chan"),
        ("author: {name: Ann Lee}", "author", "Ann Lee"),
        ("tags: null\ndc.creator: Ann Lee", "author", "Ann Lee"),
        ("site_name: The Post", "source", "The Post"),
        ("publisher: {name: The Post}", "source", "The Post"),
        ("permalink: https://example.org/a", "url", "https://example.org/a"),
        ("guid: urn-7", "id", "urn-7"),
        ("notes: reprint", "note", "reprint"),
    ],
)
def test_a_field_is_found_under_the_names_it_has_in_practice(
    page: Callable[[str], Any], line: str, field: str, value: str
) -> None:
    found = reading(page(line))
    assert getattr(found.article, field) == value
    assert found.unused == ()


def test_of_two_names_the_surer_one_counts_and_the_other_is_unused(page: Callable[[str], Any]) -> None:
    found = reading(page("headline: Fire\ntitle: Mill burned\ndate: 2025-03-05\npublished: 2025-03-04"))
    assert (found.article.title, found.article.published) == ("Mill burned", "2025-03-04")
    assert found.unused == ("headline", "date")


def test_fields_that_are_not_used_are_told_unless_they_hold_nothing(page: Callable[[str], Any]) -> None:
    found = reading(page("title: T\ntags: [a, b]\nlayout: post\ndraft: null\nimage:\naliases: []"))
    assert found.unused == ("tags", "layout")


def test_a_surer_name_without_a_value_leaves_the_field_to_the_other(page: Callable[[str], Any]) -> None:
    found = reading(page("title: null\nheadline: Fire\npublished: ~\ndate: 2025-03-04"))
    assert (found.article.title, found.article.published, found.unused) == ("Fire", "2025-03-04", ())


@pytest.mark.parametrize(
    "date",
    ["2025-02-30", "2025-13-45", "0000-00-00", "2025 March 4", "٢٠٢٥-٠٣-٠٤", "2025-3-4", "31 June 2025", "04/03/2025"],
)
@pytest.mark.parametrize("name", ["published", "Date"])
def test_a_date_that_is_none_fails_with_its_name_its_value_and_the_form(
    page: Callable[[str], Any], date: str, name: str
) -> None:
    message = problem(page(f"title: T\n{name}: {date}")).message
    assert message == f"has a `{name}` of {date!r}, which is no whole date; write it as 2025-07-27, 2025-07 or 2025."


@pytest.mark.parametrize("line", ["2025-99-99", "2025-02-29"])
def test_a_line_below_the_headline_that_is_no_day_fails_with_the_form(write: Write, line: str) -> None:
    message = problem(write("a.txt", f"Mill burned\n{line}\n\n{BODY}")).message
    assert repr(line) in message
    assert "write it as 2025-07-27" in message


def test_an_address_as_source_is_the_address_of_the_page(page: Callable[[str], Any]) -> None:
    found = article(page('source: "https://example.org/b"\nauthor:\n  - "[[Ann Poe]]"\n  - "[[people/bo|Bo Chan]]"'))
    assert (found.source, found.url, found.author) == ("", "https://example.org/b", "Ann Poe, Bo Chan")


def test_an_address_as_source_does_not_displace_another(page: Callable[[str], Any]) -> None:
    found = article(page("source: https://example.org/b\nurl: https://example.org/a"))
    assert (found.source, found.url) == ("", "https://example.org/a")


def test_what_the_command_line_says_fills_what_the_file_lacks(page: Callable[[str], Any]) -> None:
    given = Given({"source": "The Post", "title": "Other", "published": "2020"})
    found = article(page("title: Mill burned"), given)
    assert (found.source, found.title, found.published) == ("The Post", "Mill burned", "2020")


def test_what_the_command_line_says_does_not_hide_a_date_that_is_none(page: Callable[[str], Any]) -> None:
    assert "'next week'" in problem(page("published: next week"), Given({"published": "2020"})).message


def test_a_number_that_is_none_is_no_value(write: Write) -> None:
    line = '{"id": "n", "text": "The mill burned.", "title": NaN, "author": -Infinity, "source": Infinity, "date": NaN}'
    found = article(write("a.jsonl", line))
    assert (found.title, found.author, found.source, found.published) == ("The mill burned.", "", "", "")


def test_a_number_of_toml_that_is_none_or_one_beyond_all_numbers_is_no_value(write: Write) -> None:
    assert article(write("a.md", f"+++\ntitle = nan\nauthor = -inf\n+++\n{BODY}")).author == ""
    assert article(write("a.jsonl", '{"id": "n", "text": "The mill burned.", "source": 1e999}')).source == ""


@pytest.mark.parametrize("identity", ["null", '""', "NaN", "Infinity", "[]"])
def test_an_id_without_a_value_is_no_id(write: Write, identity: str) -> None:
    found = problem(write("a.jsonl", f'{{"id": {identity}, "text": "The mill burned."}}'))
    assert "has no `id`" in found.message
    assert "--map id=NAME" in found.message


def test_a_row_without_id_is_called_by_its_address_and_then_by_its_fingerprint(write: Write) -> None:
    row = {"id": None, "text": "The mill burned.", "fingerprint": "ab12"}
    assert article(write("a.jsonl", [{**row, "source": "https://example.org/b"}])).id == "https://example.org/b"
    assert article(write("a.jsonl", [row])).id == "ab12"


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("id", {}, "an object as its `id`"),
        ("title", [["a"]], "a list as its `title`"),
        ("byline", [5, 6], "a list as its `byline`"),
        ("source", ["x"] * 51, "a list as its `source`"),
        ("note", {"a": 1}, "an object as its `note`"),
        ("link", "x" * (MAX_FIELD + 1), f"a `link` of {MAX_FIELD + 1} characters"),
    ],
)
def test_a_value_that_cannot_be_what_it_is_called_is_named(write: Write, field: str, value: object, told: str) -> None:
    row = {"id": "1", "text": "The mill burned.", field: value}
    assert told in problem(write("a.jsonl", [row])).message


def test_line_breaks_in_a_field_become_spaces(write: Write) -> None:
    row = {"id": "1", "text": "The mill burned.", "title": " Mill\n  burned\t"}
    assert article(write("a.jsonl", [row])).title == "Mill burned"


@pytest.mark.parametrize("field", ["title", "author", "published", "unknown"])
@pytest.mark.parametrize("kind", ["list", "map"])
def test_a_bomb_of_anchors_costs_neither_memory_nor_time(write: Write, field: str, kind: str) -> None:
    lines = ["l0: &l0 lolololol"]
    for n in range(1, 10):
        inside = [f"*l{n - 1}" for _ in range(10)]
        value = (
            f"[{', '.join(inside)}]"
            if kind == "list"
            else "{" + ", ".join(f"k{i}: {v}" for i, v in enumerate(inside)) + "}"
        )
        lines.append(f"l{n}: &l{n} {value}")
    path = write("bomb.md", "---\n" + "\n".join(lines) + f"\n{field}: *l9\n---\nBody.")
    script = "import sys, pathlib, index.reading as r; print(len(list(r.read_file(pathlib.Path(sys.argv[1])))))"
    child = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)),
    )
    assert (child.returncode, child.stdout) == (0, "1\n"), child.stderr[-400:]


@pytest.mark.parametrize("name", ["title", "text", "source", "author", "published", "url", "note"])
def test_the_digest_changes_with_everything_a_reader_sees(name: str) -> None:
    found = Article(id="a", title="t", text="x")
    assert Article(**{"id": "a", "title": "t", "text": "x", name: "other"}).digest != found.digest


def test_the_digest_does_not_change_with_the_place() -> None:
    assert Article("a", "t", "x", origin="/one").digest == Article("a", "t", "x", origin="/two").digest
