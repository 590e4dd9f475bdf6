"""What a parser may do to the process that runs it; here it is Word's, and only the child finds it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import docx
import pytest

from index.reading import Given, PassedOver, Reader, Reading, ReadProblem, Result
from tests.index.reading.results import Write, results

SECONDS = 3.0  # the child needs a part of the first second to start


def children() -> set[int]:
    """The processes that this one started and has not taken leave of, zombies among them."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it ended meanwhile
            continue
        if parent == os.getpid():
            found.add(int(stat.parent.name))
    return found


def ended(pid: int) -> bool:
    """Whether a process is gone, or will be as soon as its parent looks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture(autouse=True)
def _no_process_remains() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


@pytest.fixture
def parser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts this code in the place of the package that reads Word's files; only the child imports it."""

    def parser(code: str) -> None:
        package = tmp_path / "packages" / "docx"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(code)
        monkeypatch.setattr(sys, "path", [str(package.parent), *sys.path])

    return parser


@pytest.fixture
def both(write: Write) -> tuple[Path, Path]:
    """A file that goes to that parser, and one that does not."""
    return write("bad.docx", "x"), write("good.md", "The mill burned down.")


def read(*paths: Path, seconds: float = SECONDS) -> list[Result]:
    with Reader(seconds=seconds) as reader:
        return [result for path in paths for result in reader.read(path)]


def message_of_the_bad(found: list[Result], both: tuple[Path, Path]) -> str:
    """Why the one file could not be read, after a look at the other, which was."""
    problem, good = found
    assert isinstance(problem, ReadProblem)
    assert problem.origin == str(both[0])
    assert isinstance(good, Reading)
    assert good.article.text == "The mill burned down."
    return problem.message


def test_a_child_reads_what_this_process_reads(write: Write) -> None:
    paths = [
        write("a.md", "---\ntitle: T\ntags: [x]\npublished: 2025-03-04\n---\nBody — ümlaut \U0001f600\u2028end."),
        write("b.jsonl", '{"id": "1", "text": " One.\\r\\n "}\n{"id": "2"}\n{"id": "3", "text": "\\ud800"}\n'),
        write("c.txt", "Über die Brücke führt „keine“ Straße.".encode("cp1252")),
        write("d.csv", "id,text,published\n1,One.,03/04/2024\n"),
    ]
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.md", "x")
        archive.writestr("b.png", "x")
    paths.append(write("e.zip", data.getvalue()))
    found = read(*paths)
    assert found == [result for path in paths for result in results(path)]
    assert {type(each) for each in found} == {Reading, ReadProblem, PassedOver}


def test_what_the_command_line_says_reaches_the_child(write: Write) -> None:
    path = write("a.jsonl", [{"nr": 1, "Artikel": "One."}])
    with Reader(Given({"source": "The Post"}, {"id": "nr", "text": "Artikel"})) as reader:
        (found,) = reader.read(path)
    assert isinstance(found, Reading)
    assert (found.article.id, found.article.source) == ("1", "The Post")


def test_an_origin_that_is_given_stands_in_place_of_the_path(write: Write) -> None:
    with Reader() as reader:
        (page,) = reader.read(write("a.md", "x"), origin="https://example.org/a")
        (row,) = reader.read(write("a.jsonl", "[]"), origin="https://example.org/rows")
    assert isinstance(page, Reading) and page.article.origin == "https://example.org/a"
    assert isinstance(row, ReadProblem) and row.origin == "https://example.org/rows:1"


def test_a_relative_path_is_named_as_a_whole(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("a.md", "x")
    monkeypatch.chdir(path.parent)
    (found,) = read(Path("a.md"))
    assert isinstance(found, Reading)
    assert found.article.origin == str(path)


def test_the_bytes_that_were_read_are_told_as_they_are_and_add_up(write: Write) -> None:
    path = write("a.jsonl", [{"id": str(n), "text": "One. " * n} for n in range(1, 6)])
    told: list[int] = []
    with Reader() as reader:
        assert len(list(reader.read(path, told.append))) == 5
    assert told == [len(line) for line in path.read_bytes().splitlines(keepends=True)]


def test_one_child_reads_all_files(write: Write) -> None:
    before = children()
    with Reader() as reader:
        assert children() == before  # none before there is something to read
        started = set()
        for name in ("a.md", "b.md", "c.md"):
            list(reader.read(write(name, "x")))
            started |= children() - before
        assert len(started) == 1


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal 9"),
        ("import os; os.abort()", "signal 6"),
        ("import ctypes; ctypes.string_at(0)", "signal 11"),
        ("import os; os._exit(7)", "status 7"),
        ("raise SystemExit(5)", "status 5"),
    ],
    ids=["killed", "aborted", "segmentation fault", "exited", "SystemExit"],
)
def test_a_file_that_ends_the_process_is_named_and_the_next_is_read(
    parser: Callable[[str], None], both: tuple[Path, Path], code: str, told: str
) -> None:
    parser(code)
    assert message_of_the_bad(read(*both), both) == f"ended the process that read it ({told})."


@pytest.mark.parametrize("code", ["import time; time.sleep(600)", "while True: pass"], ids=["sleeps", "works"])
def test_a_file_that_takes_too_long_is_given_up_and_the_next_is_read(
    parser: Callable[[str], None], both: tuple[Path, Path], code: str
) -> None:
    parser(code)
    begun = time.monotonic()
    assert message_of_the_bad(read(*both), both) == "took longer than 3 s to read and was given up."
    assert time.monotonic() - begun < 30


def test_the_time_is_that_of_one_article_not_of_a_file(write: Write, parser: Callable[[str], None]) -> None:
    """Six attachments, none of which takes long; together they take longer than one may."""
    parser(
        "import sys, time\ntime.sleep(0.5)\nsys.modules.pop('docx')\n"  # imported anew for the next
        "raise ValueError('is slow.')"
    )
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for n in range(6):
            archive.writestr(f"{n}.docx", "x")
    found = read(write("a.zip", data.getvalue()), seconds=2.0)
    assert [each.message for each in found if isinstance(each, ReadProblem)] == ["is slow."] * 6


@pytest.mark.parametrize("code", ["bytearray(4 * 2**30)", "raise MemoryError"])
def test_a_file_that_eats_memory_is_named_and_the_next_is_read(
    parser: Callable[[str], None], both: tuple[Path, Path], code: str
) -> None:
    parser(code)
    assert message_of_the_bad(read(*both), both) == "needs more than 3 GiB of memory to read; split it."


@pytest.mark.parametrize("error", ["KeyError('w:p')", "RecursionError('too deep')", "Exception('odd' * 1000)"])
def test_an_error_that_no_one_thought_of_is_named_and_the_next_file_is_read(
    parser: Callable[[str], None], both: tuple[Path, Path], error: str
) -> None:
    parser(f"raise {error}")
    message = message_of_the_bad(read(*both), both)
    assert message.startswith(f"can't be read ({error.partition('(')[0]}: ")
    assert len(message) < 300


def test_a_document_that_breaks_its_real_parser_is_named_and_the_next_is_read(write: Write) -> None:
    whole = io.BytesIO()
    docx.Document().save(whole)
    broken = io.BytesIO()
    with zipfile.ZipFile(whole) as parts, zipfile.ZipFile(broken, "w") as changed:
        for part in parts.namelist():
            changed.writestr(part, b"<w:document" if part == "word/document.xml" else parts.read(part))
    both = write("bad.docx", broken.getvalue()), write("good.md", "The mill burned down.")
    assert "can't be read" in message_of_the_bad(read(*both), both)


def test_what_a_parser_prints_disturbs_nothing(write: Write, parser: Callable[[str], None]) -> None:
    parser(
        "import os, sys\n"
        'print(\'{"kind": "end"}\', flush=True)\n'
        "os.write(1, b'noise\\n')\n"
        "os.write(2, b'noise\\n')\n"
        "print('noise', file=sys.stderr)\n"
        "sys.stdin.read()\n"  # nor does it get the next request
        "sys.path.pop(0); del sys.modules['docx']\n"
        "import docx\n"
    )
    document = docx.Document()
    document.add_paragraph("The mill burned down.")
    data = io.BytesIO()
    document.save(data)
    word, good = read(write("a.docx", data.getvalue()), write("good.md", "Nobody died."))
    assert isinstance(word, Reading) and word.article.text == "The mill burned down.\n"
    assert isinstance(good, Reading) and good.article.text == "Nobody died."


def test_nothing_that_a_child_prints_reaches_the_terminal(
    both: tuple[Path, Path], parser: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    parser("import ctypes, sys; print('noise', file=sys.stderr, flush=True); ctypes.string_at(0)")
    read(*both)
    assert capfd.readouterr() == ("", "")


def test_a_child_that_is_killed_between_two_files_is_replaced(write: Write) -> None:
    before = children()
    with Reader() as reader:
        list(reader.read(write("a.md", "x")))
        (child,) = children() - before
        os.kill(child, signal.SIGKILL)
        while not ended(child):
            time.sleep(0.01)
        (found,) = reader.read(write("b.md", "The mill burned down."))
    assert isinstance(found, Reading)


def test_rows_that_were_read_before_the_process_ended_are_kept(write: Write) -> None:
    before = children()
    path = write("a.jsonl", [{"id": str(n), "text": "One. " * 2000} for n in range(200)])
    with Reader() as reader:
        rows = reader.read(path)
        found = [next(rows)]
        (child,) = children() - before
        os.kill(child, signal.SIGKILL)
        found += rows
    assert isinstance(found[0], Reading)
    assert isinstance(found[-1], ReadProblem)
    assert "ended the process that read it (signal 9)" in found[-1].message
    assert all(isinstance(each, Reading) for each in found[:-1])


def test_reading_that_is_left_in_the_middle_ends_the_child_and_the_next_file_is_read(write: Write) -> None:
    before = children()
    path = write("a.jsonl", [{"id": str(n), "text": "One. " * 2000} for n in range(200)])
    with Reader() as reader:
        rows = reader.read(path)
        assert isinstance(next(rows), Reading)
        rows.close()  # type: ignore[attr-defined]
        assert children() == before
        (found,) = reader.read(write("b.md", "The mill burned down."))
        assert isinstance(found, Reading) and found.article.id == "b"


def test_a_reader_that_read_nothing_ends_quietly() -> None:
    with Reader():
        pass


def test_an_error_of_whoever_reads_ends_the_child(write: Write) -> None:
    before = children()
    path = write("a.jsonl", [{"id": str(n), "text": "One."} for n in range(5)])

    def stop() -> None:
        with Reader() as reader:
            for _ in reader.read(path):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert children() <= before


def test_a_file_that_vanishes_before_it_is_read_is_a_problem(folder: Path) -> None:
    (found,) = read(folder / "gone.txt")
    assert isinstance(found, ReadProblem)
    assert "No such file" in found.message


def test_an_idle_child_does_not_outlive_a_parent_that_is_killed(write: Write) -> None:
    script = (
        "import os, pathlib, signal, subprocess, sys\n"
        "from index.reading import Reader\n"
        "reader = Reader()\n"
        "list(reader.read(pathlib.Path(sys.argv[1])))\n"
        "print(reader._child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = write("a.md", "x")
    parent = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60)
    assert parent.returncode == -signal.SIGKILL
    child = int(parent.stdout)
    deadline = time.monotonic() + 10
    while not ended(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert ended(child)
