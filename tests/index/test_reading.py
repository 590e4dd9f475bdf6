from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from index.article import Article
from index.reading import MAX_FIELD, ReadProblem, find_files, read_file

Write = Callable[..., Path]


def articles(path: Path) -> list[Article]:
    read = list(read_file(path))
    assert all(isinstance(each, Article) for each in read), read
    return read  # type: ignore[return-value]


def problem(path: Path) -> ReadProblem:
    (only,) = read_file(path)
    assert isinstance(only, ReadProblem), only
    return only


def test_front_matter_becomes_fields_and_the_rest_the_text(write: Write) -> None:
    path = write(
        "a.md",
        "---\ntitle: A title\nsource: The Paper\nauthor: Kim\npublished: 2025-07-27T10:00Z\n"
        "url: https://example.org/a\nnote: reprint\n---\n\nThe text.\n",
    )
    (article,) = articles(path)
    assert article.text == "The text.\n"
    assert (article.id, article.title, article.source, article.author) == ("a", "A title", "The Paper", "Kim")
    assert (article.published, article.url, article.note) == ("2025-07-27", "https://example.org/a", "reprint")
    assert article.origin == str(path)


def test_front_matter_values_stay_the_strings_they_are(write: Write) -> None:
    (article,) = articles(write("a.md", "---\ntitle: no\nauthor: 0123\npublished: 2024-02\nsource: null\n---\nText."))
    assert (article.title, article.author, article.published, article.source) == ("no", "0123", "2024-02", "null")


def test_a_list_of_authors_becomes_one_line(write: Write) -> None:
    (article,) = articles(write("a.md", "---\nauthor: [Ann Lee, Bo Chan]\n---\nText."))
    assert article.author == "Ann Lee, Bo Chan"


def test_a_text_file_keeps_everything_even_what_looks_like_front_matter(write: Write) -> None:
    text = "---\ntitle: X\n---\nBody."
    assert articles(write("a.txt", text))[0].text == text


def test_plain_text_is_named_by_its_first_line_and_dated_by_a_line_that_is_a_date(write: Write) -> None:
    (article,) = articles(write("a.txt", "# Talks in Islamabad\n2025-04-16\n\nThey met."))
    assert (article.title, article.published) == ("Talks in Islamabad", "2025-04-16")


def test_text_without_a_headline_is_called_by_its_first_words(write: Write) -> None:
    (article,) = articles(write("a.txt", "word " * 60 + "."))
    assert article.title.startswith("word word")
    assert article.title.endswith(" …")
    assert len(article.title) <= 82


@pytest.mark.parametrize("text", ["a\r\nb\r\n", "a\rb\r"])
def test_line_ends_of_other_systems_become_line_feeds(write: Write, text: str) -> None:
    assert articles(write("a.txt", text.encode()))[0].text == "a\nb\n"


def test_front_matter_with_crlf_is_read(write: Write) -> None:
    (article,) = articles(write("a.md", b"---\r\ntitle: T\r\n---\r\nBody.\r\n"))
    assert (article.title, article.text) == ("T", "Body.\n")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_tells_the_encoding_and_is_not_text(write: Write, encoding: str) -> None:
    (article,) = articles(write("a.txt", "Zürich — Ωmega.".encode(encoding)))
    assert article.text == "Zürich — Ωmega."


def test_empty_front_matter_is_no_front_matter(write: Write) -> None:
    assert articles(write("a.md", "---\n---\nBody."))[0].text == "Body."


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n\t\n", "is empty"),
        ("a.md", b"---\ntitle: T\n---\n\n", "is empty"),
        ("a.txt", b"one\0two", "NUL"),
        ("a.txt", b"caf\xe9", "not utf-8"),
        ("a.txt", b"\xff\xfe\x00\xd8", "not utf-16"),
        ("a.md", b"---\ntitle: T\n\nBody without an end of the front matter.", "never closed"),
        ("a.md", b"---\ntitle: a: b\n---\nBody.", "not YAML"),
        ("a.md", b"---\njust words\n---\nBody.", "name: value"),
        ("a.md", b"---\n- one\n- two\n---\nBody.", "name: value"),
        ("a.md", b"---\ntitle: {a: b}\n---\nBody.", "plain text"),
        ("a.md", b"---\npublished: last week\n---\nBody.", "'last week'"),
        ("a.md", b"---\npublished: 27.07.2025\n---\nBody.", "2025-07-27"),
        ("a.md", b"---\ntitle: " + b"x" * (MAX_FIELD + 1) + b"\n---\nBody.", str(MAX_FIELD + 1)),
        ("a.jsonl", b"", "is empty"),
    ],
)
def test_a_bad_file_is_a_problem_that_says_why(write: Write, name: str, content: bytes, told: str) -> None:
    path = write(name, content)
    found = problem(path)
    assert told in found.message
    assert found.origin == str(path)


def test_a_field_of_the_greatest_length_is_kept(write: Write) -> None:
    (article,) = articles(write("a.md", f"---\ntitle: {'x' * MAX_FIELD}\n---\nBody."))
    assert len(article.title) == MAX_FIELD


@pytest.mark.parametrize("escaped", ["\\uD800", "\\0"], ids=["lone surrogate", "NUL"])
def test_an_escape_in_front_matter_that_cannot_be_stored_is_a_problem(write: Write, escaped: str) -> None:
    assert "title" in problem(write("a.md", f'---\ntitle: "x{escaped}y"\n---\nBody.')).message


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!python/object/new:os.system"])
def test_a_python_tag_in_front_matter_runs_nothing(write: Write, tmp_path: Path, tag: str) -> None:
    mark = tmp_path / "ran"
    read = list(read_file(write("a.md", f"---\ntitle: {tag} ['touch {mark}']\n---\nBody.")))
    assert len(read) == 1
    assert not mark.exists()


@pytest.mark.parametrize("field", ["title", "author", "unknown"])
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


def test_front_matter_that_is_nested_without_end_is_a_problem(write: Write) -> None:
    assert isinstance(problem(write("a.md", "---\ntitle: " + "[" * 20_000 + "\n---\nBody.")), ReadProblem)


def test_rows_keep_their_text_to_the_letter_and_name_their_line(write: Write) -> None:
    text = " A\r\nb\u2028c \U0001f600 "
    path = write("news.jsonl", [{"id": 7, "text": text, "title": "T", "published": 2025}])
    (article,) = articles(path)
    assert (article.id, article.text, article.published, article.origin) == ("7", text, "2025", f"{path}:1")


def test_torn_and_bad_rows_are_named_by_their_line_and_the_others_are_read(write: Write) -> None:
    good = b'{"id": "%d", "text": "Fine."}\n'
    path = write(
        "news.jsonl", good % 1 + b'{"id": "2", "te\n' + b"\n" + b"[1]\n" + b"\xff\n" + good % 6 + b'{"id": "7"'
    )
    read = list(read_file(path))
    assert [each.origin.rpartition(":")[2] for each in read] == ["1", "2", "4", "5", "6", "7"]
    assert [isinstance(each, Article) for each in read] == [True, False, False, False, True, False]
    assert "not JSON" in read[1].message  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('{"text": "No id."}', "no `id`"),
        ('{"id": "", "text": "No id."}', "no `id`"),
        ('{"id": "1"}', "no `text`"),
        ('{"id": "1", "text": "  "}', "no `text`"),
        ('{"id": "1", "text": 5}', "no `text`"),
        ('{"id": "1", "text": "a\\u0000b"}', "NUL"),
        ('{"id": "a\\u0000b", "text": "T"}', "NUL"),
        ('{"id": "1", "text": "a\\ud800b"}', "surrogate"),
        ('{"id": "1", "text": "T", "title": "\\udfff"}', "surrogate"),
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


def test_a_folder_gives_its_articles_in_order_without_hidden_files_and_readmes(folder: Path, write: Write) -> None:
    for name in ("b.md", "a.TXT", "sub/c.jsonl", ".hidden.md", ".git/d.md", "README.md", "image.png"):
        write(name, "x")
    found = find_files([folder, folder / "b.md"])
    assert found == [folder / "a.TXT", folder / "b.md", folder / "sub/c.jsonl"]


def test_paths_that_hold_nothing_are_problems(folder: Path, write: Write) -> None:
    missing, pdf = folder.parent / "nowhere", write("paper.pdf", "x")
    (folder / "empty").mkdir()
    found = find_files([missing, pdf, folder / "empty"])
    assert [each.origin for each in found if isinstance(each, ReadProblem)] == [
        str(missing),
        str(pdf),
        str(folder / "empty"),
    ]


def test_what_is_no_file_inside_a_folder_never_blocks_or_breaks_reading(folder: Path, write: Write) -> None:
    good = write("good.txt", "Fine.")
    (folder / "broken.txt").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.txt")
    assert [each for each in find_files([folder]) if isinstance(each, Path)] == [good]


def test_a_file_that_vanishes_before_it_is_read_is_a_problem(folder: Path) -> None:
    assert "No such file" in problem(folder / "gone.txt").message


@pytest.mark.parametrize("name", ["title", "text", "source", "author", "published", "url", "note"])
def test_the_digest_changes_with_everything_a_reader_sees(name: str) -> None:
    article = Article(id="a", title="t", text="x")
    assert Article(**{"id": "a", "title": "t", "text": "x", name: "other"}).digest != article.digest


def test_the_digest_does_not_change_with_the_place() -> None:
    assert Article("a", "t", "x", origin="/one").digest == Article("a", "t", "x", origin="/two").digest
