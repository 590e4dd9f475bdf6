"""`dateline index …` as a person or a script sees it: what is printed, with which exit code."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from index.settings import Settings
from tests.conftest import FIRST, SECOND, Run

Write = Callable[..., Path]


def listed(run: Run) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in run("index", "list", "--json").rows}


# show


def test_show_prints_one_object_with_all_that_the_index_made_of_an_article(run: Run, write: Write) -> None:
    row = {
        "id": "port", "title": "The port", "source": "Coast Weekly", "author": "A. Khan", "published": "2024-05-01",
        "url": "https://coast.test/port", "note": "Corrected.", "text": f"{FIRST}\n\nMore came later.",
    }  # fmt: skip
    path = write("rows.jsonl", [row, {"id": "copy", "text": row["text"]}, {"id": "other", "text": SECOND}])
    run("index", "add", path)
    ran = run("index", "show", "port", "--json")
    assert (ran.code, ran.err) == (0, "")
    (shown,) = ran.rows
    assert list(shown) == [
        "id", "title", "source", "author", "published", "url", "origin", "note", "text", "sentences", "chunks",
        "near_duplicates",
    ]  # fmt: skip
    assert {name: shown[name] for name in row} == row
    assert shown["origin"] == f"{path}:1"
    assert shown["near_duplicates"] == ["copy"]
    assert [s["text"] for s in shown["sentences"]] == [
        "The harbour of Gwadar was opened in 2007.", "Its cranes came from China.", "More came later.",
    ]  # fmt: skip
    for each in shown["sentences"]:
        assert set(each) == {"start", "end", "text"}
        assert row["text"][each["start"] : each["end"]] == each["text"]
    assert [set(chunk) for chunk in shown["chunks"]] == [{"start", "end"}]
    assert (shown["chunks"][0]["start"], shown["chunks"][-1]["end"]) == (0, len(row["text"]))
    assert run("index", "show", "other", "--json").rows[0]["near_duplicates"] == []


def test_show_for_people_has_fields_copies_and_numbered_sentences(run: Run, write: Write, filled: Path) -> None:
    run("index", "add", write("again.txt", FIRST))
    out = run("index", "show", "gwadar").out
    assert "Coast Weekly" in out
    assert "copies    again" in out
    assert "   0  The harbour of Gwadar was opened in 2007.\n   1  Its cranes came from China.\n" in out
    assert "copies" not in run("index", "show", "quetta").out


def test_show_of_an_unknown_id_is_one_message(run: Run, filled: Path) -> None:
    assert "nobody" in run("index", "show", "nobody", "--json").message


def test_search_names_the_copies_of_a_hit(run: Run, write: Write, filled: Path) -> None:
    run("index", "add", write("again.txt", FIRST))
    (row,) = run("index", "search", "--json", "When was the harbour opened?").rows
    (hit,) = [hit for hit in row["hits"] if hit["article"] != "quetta"]
    assert {hit["article"], *hit["copies"]} == {"gwadar", "again"}
    assert "   Also in: " in run("index", "search", "harbour").out


# add


def test_add_prints_a_line_for_each_file_and_one_in_sum(run: Run, write: Write, folder: Path) -> None:
    good, bad, other = write("good.txt", FIRST), write("bad.txt", b"a\0b"), write("image.png", b"\x89PNG")
    rows = write("rows.jsonl", [{"id": "r1", "text": SECOND, "views": 3, "tags": ["a"]}, {"id": "r2"}])
    ran = run("index", "add", "--json", folder)
    assert ran.code == 1
    *lines, last = ran.rows
    told = {line["file"]: line for line in lines}
    assert {name: line["outcome"] for name, line in told.items()} == {
        str(good): "added", str(bad): "failed", str(other): "passed over", f"{rows}:1": "added", f"{rows}:2": "failed",
    }  # fmt: skip
    assert told[f"{rows}:1"]["article"] == "r1"
    assert sorted(told[f"{rows}:1"]["unused"]) == ["tags", "views"]
    assert "text" in told[f"{rows}:2"]["message"]
    summary = last["summary"]
    counts = {name: summary[name] for name in ("added", "failed", "unchanged", "removed", "articles", "sentences")}
    assert counts == {"added": 2, "failed": 2, "unchanged": 0, "removed": 0, "articles": 2, "sentences": 4}
    assert summary["seconds"] >= 0


def test_add_tells_people_what_was_passed_over_and_which_fields_are_used_for_nothing(
    run: Run, write: Write, folder: Path
) -> None:
    write("good.txt", FIRST)
    write("image.png", b"\x89PNG")
    write(".hidden.txt", "Secret.")
    write("rows.jsonl", [{"id": f"r{n}", "text": f"{n}. {SECOND}", "views": 3} for n in range(2)])
    ran = run("index", "add", folder)
    assert ran.code == 0
    assert "3 added" in ran.out
    assert "2 passed over" in ran.out
    assert "png" in ran.out
    assert "Fields that are used for nothing: views (2)." in ran.out
    assert "secret" not in ran.out.lower()


def test_columns_are_read_under_the_names_that_map_gives_them(run: Run, write: Write) -> None:
    path = write("news.csv", "Nr;Kopf;Inhalt;Tag\n7;Der Hafen;Der Hafen ist offen.;2024-05-01\n")
    ran = run(
        "index", "add", path, "--map", "text=Inhalt", "--map", "id=Nr", "--map", "title=Kopf", "--map", "published=Tag"
    )
    assert ran.code == 0, ran
    row = listed(run)["7"]
    assert (row["title"], row["published"]) == ("Der Hafen", "2024-05-01")


@pytest.mark.parametrize("column", ["text", "text=", "nonsense=Body", "=Body", "origin=x"])
def test_a_map_that_is_none_is_wrong_usage(run: Run, write: Write, column: str) -> None:
    ran = run("index", "add", write("a.csv", "a,b\n1,2\n"), "--map", column)
    assert ran.code == 2
    assert "FIELD=NAME" in ran.err


def test_what_the_command_gives_holds_where_the_file_does_not_say(run: Run, write: Write) -> None:
    own = write("own.md", f"---\nsource: Own Paper\npublished: 2023-01-02\n---\n{FIRST}")
    none = write("none.txt", SECOND)
    given = ("--source", "The Herald", "--published", "4 March 2025", "--author", "A. Khan")
    assert run("index", "add", own, none, *given).code == 0
    rows = listed(run)
    assert [(rows[name]["source"], rows[name]["published"], rows[name]["author"]) for name in ("own", "none")] == [
        ("Own Paper", "2023-01-02", "A. Khan"),
        ("The Herald", "2025-03-04", "A. Khan"),
    ]


def test_a_date_for_all_that_is_none_is_wrong_usage(run: Run, write: Write) -> None:
    ran = run("index", "add", write("a.txt", FIRST), "--published", "soon")
    assert ran.code == 2
    assert "soon" in ran.err
    assert listed(run) == {}


def test_add_names_what_is_no_longer_among_the_files_and_removes_nothing(run: Run, filled: Path) -> None:
    (filled / "quetta.txt").unlink()
    ran = run("index", "add", filled)
    assert ran.code == 0
    assert "No longer among the files: quetta." in ran.out
    assert "index sync" in ran.out
    assert set(listed(run)) == {"gwadar", "quetta"}
    assert run("index", "add", "--json", filled).rows[-1]["summary"]["gone"] == ["quetta"]


# add --fetch


@pytest.mark.parametrize(
    "arguments",
    [
        ["https://example.org/a"],
        ["--fetch", "a.txt"],
        ["--allow-private", "a.txt"],
        ["--fetch", "https://example.org/a", "a.txt"],
        ["--fetch"],
    ],
)
def test_addresses_and_fetch_go_together(run: Run, arguments: list[str]) -> None:
    ran = run("index", "add", *arguments)
    assert ran.code == 2
    assert "Traceback" not in ran.err


@pytest.fixture
def site() -> Iterator[str]:
    """The address of a page on this machine; all else there is missing."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/news/bridge":
                self.send_error(404)
                return
            body = f"<html><head><title>The bridge</title></head><body><p>{FIRST}</p></body></html>".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.loopback
def test_a_fetched_page_is_an_article_from_its_address_and_is_replaced_by_itself_only(run: Run, site: str) -> None:
    ran = run("index", "add", "--json", "--fetch", "--allow-private", f"{site}/news/bridge", f"{site}/nothing")
    assert ran.code == 1
    missing, page, last = ran.rows
    assert (missing["file"], missing["outcome"]) == (f"{site}/nothing", "failed")
    assert "404" in missing["message"]
    assert (page["file"], page["outcome"]) == (f"{site}/news/bridge", "added")
    assert (last["summary"]["added"], last["summary"]["failed"]) == (1, 1)
    (row,) = listed(run).values()
    assert (row["origin"], row["title"]) == (f"{site}/news/bridge", "The bridge")
    again = run("index", "add", "--json", "--fetch", "--allow-private", f"{site}/news/bridge")
    assert again.rows[0]["outcome"] == "unchanged"


@pytest.mark.loopback
def test_a_page_of_this_machine_is_not_fetched_unasked(run: Run, site: str) -> None:
    ran = run("index", "add", "--json", "--fetch", f"{site}/news/bridge")
    assert ran.code == 1
    assert "--allow-private" in ran.rows[0]["message"]
    assert listed(run) == {}


@pytest.mark.loopback
def test_a_fetched_page_is_not_removed_by_the_sync_of_a_folder(run: Run, site: str, filled: Path) -> None:
    run("index", "add", "--fetch", "--allow-private", f"{site}/news/bridge")
    assert run("index", "sync", filled).code == 0
    assert len(listed(run)) == 3


# sync


def test_sync_prints_a_line_for_each_change_and_one_in_sum(run: Run, filled: Path, write: Write) -> None:
    (filled / "quetta.txt").unlink()
    (filled / "gwadar.md").rename(filled / "port.md")
    write("new.txt", "A new bridge crosses the river.")
    dry = run("index", "sync", filled, "--dry-run", "--json")
    assert set(listed(run)) == {"gwadar", "quetta"}
    ran = run("index", "sync", filled, "--json")
    assert ran.code == dry.code == 0
    for rows in (dry.rows, ran.rows):
        assert {row["article"]: row["outcome"] for row in rows[:-1]} == {
            "gwadar": "renamed", "quetta": "removed", "new": "added",
        }  # fmt: skip
        summary = rows[-1]["summary"]
        assert {name: summary[name] for name in ("added", "renamed", "removed", "failed")} == {
            "added": 1, "renamed": 1, "removed": 1, "failed": 0,
        }  # fmt: skip
    assert set(listed(run)) == {"gwadar", "new"}


def test_a_dry_run_says_that_it_is_one(run: Run, filled: Path) -> None:
    (filled / "quetta.txt").unlink()
    out = run("index", "sync", filled, "--dry-run").out
    assert "Dry run, nothing was changed" in out
    assert "quetta" in out


def test_sync_of_a_folder_with_a_bad_file_exits_1(run: Run, filled: Path, write: Write) -> None:
    write("bad.txt", b"a\0b")
    assert run("index", "sync", filled).code == 1


def test_sync_of_an_emptied_folder_says_what_to_do(run: Run, write: Write, folder: Path) -> None:
    write("rows.jsonl", [{"id": f"r{n}", "text": f"Number {n}. {FIRST}"} for n in range(12)])
    run("index", "add", folder)
    (folder / "rows.jsonl").unlink()
    assert "--allow-empty" in run("index", "sync", folder).message
    assert len(listed(run)) == 12
    assert run("index", "sync", folder, "--allow-empty").code == 0
    assert listed(run) == {}


def test_sync_of_no_folder_is_one_message(run: Run, folder: Path, write: Write) -> None:
    assert "no folder" in run("index", "sync", folder / "nowhere").message
    assert "no folder" in run("index", "sync", write("a.txt", FIRST)).message


def test_dry_run_and_watch_do_not_go_together(run: Run, folder: Path) -> None:
    assert run("index", "sync", folder, "--dry-run", "--watch").code == 2


class Watching:
    """`dateline index sync --watch --json` in a process of its own, and the lines it prints."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ui.cli", "index", "sync", "--watch", "--json", str(folder)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def until_summary(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while not rows or "summary" not in rows[-1]:
            line = self._lines.get(timeout=60)
            assert line, "it has ended"
            rows.append(json.loads(line))
        return rows

    def summaries_within(self, seconds: float) -> list[str]:
        time.sleep(seconds)
        return [line for line in self._drained() if "summary" in line]

    def _drained(self) -> Iterator[str]:
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._lines.get_nowait()

    def until(self, outcome: str, article: str) -> None:
        """Syncs go by until one has told this."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if any((row.get("outcome"), row.get("article")) == (outcome, article) for row in self.until_summary()):
                return
        raise AssertionError(f"{article} was not {outcome}")

    def interrupt(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=30)
        self._thread.join()
        assert self.process.stderr is not None
        return code, self.process.stderr.read()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.mark.slow
def test_watching_syncs_after_every_change_until_ctrl_c(run: Run, filled: Path, write: Write) -> None:
    with contextlib.closing(Watching(filled)) as watching:
        assert watching.until_summary()[-1]["summary"]["unchanged"] == 2
        time.sleep(0.5)  # it says nothing when it begins to watch
        write("new.txt", "A new bridge crosses the river.")
        watching.until("added", "new")
        (filled / "quetta.txt").unlink()
        watching.until("removed", "quetta")
        write("bad.txt", b"a\0b")
        watching.until("failed", "")
        assert set(listed(run)) == {"gwadar", "new"}, "the index is open to others while it waits"
        code, told = watching.interrupt()
    assert code == 130
    assert "Traceback" not in told
    assert "Stopped" in told


@pytest.mark.slow
def test_watching_goes_on_while_another_process_writes(
    run: Run, filled: Path, write: Write, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import filelock

    with contextlib.closing(Watching(filled)) as watching:
        watching.until_summary()
        time.sleep(0.5)
        with filelock.FileLock(settings.home / "writer.lock"):
            write("new.txt", "A new bridge crosses the river.")
            time.sleep(8)
        write("other.txt", "Another bridge.")
        watching.until("added", "other")
        code, _ = watching.interrupt()
    assert code == 130


@pytest.mark.slow
@pytest.mark.parametrize("name", ["home", ".dateline"])
def test_watching_a_folder_that_holds_the_index_itself_rests_between_changes(
    run: Run, write: Write, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("DATELINE_HOME", str(folder / name))
    write("gwadar.txt", FIRST)
    with contextlib.closing(Watching(folder)) as watching:
        watching.until_summary()
        time.sleep(0.5)
        write("new.txt", "A new bridge crosses the river.")
        watching.until("added", "new")
        summaries = watching.summaries_within(6)
        assert len(summaries) <= 2, "what it writes itself wakes it again"
        assert watching.interrupt()[0] == 130


def test_a_list_says_whether_there_is_nothing_or_nothing_that_fits(run: Run, filled: Path) -> None:
    assert "fits the filters (source Nobody)" in run("index", "list", "--source", "Nobody").err
    run("index", "remove", *(row["id"] for row in run("index", "list", "--json").rows))
    assert "No articles yet" in run("index", "list").err


# verify, rebuild, compact, migrate


def harm(settings: Settings) -> None:
    with closing(sqlite3.connect(settings.ledger_path)) as database, database:
        database.execute("INSERT INTO lexical (rowid, title, body) VALUES (9999, 'no', 'thing')")


def test_verify_says_by_its_exit_code_whether_all_is_well(run: Run, filled: Path, settings: Settings) -> None:
    ran = run("index", "verify", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.rows == [
        {"clean": True, "articles": 2, "sentences": 4, "chunks": 2, "lexical_missing": 0, "lexical_surplus": 0,
         "vectors_missing": 0, "vectors_surplus": 0, "pending": [], "trouble": "", "unchecked": ""}
    ]  # fmt: skip
    assert "Everything is where it should be." in run("index", "verify").out
    harm(settings)
    ran = run("index", "verify", "--json")
    assert ran.code == 1
    assert (ran.rows[0]["clean"], ran.rows[0]["lexical_surplus"]) == (False, 1)
    told = run("index", "verify")
    assert told.code == 1
    assert "1 rows of the lexical index belong to no article" in told.out
    assert "dateline index rebuild" in told.out
    assert run("index", "rebuild").code == 0
    assert run("index", "verify").code == 0


def test_rebuild_tells_how_much_there_is(run: Run, filled: Path) -> None:
    assert run("index", "rebuild", "--json").rows == [{"articles": 2, "sentences": 4, "chunks": 2}]
    assert "Rebuilt for 2 articles, 2 passages." in run("index", "rebuild").out


def test_a_damaged_vector_store_is_told_and_rebuilt(run: Run, filled: Path, settings: Settings) -> None:
    for file in settings.chroma_path.rglob("*"):
        if file.is_file():
            file.write_bytes(b"\x93garbage" * 600)
    ran = run("index", "verify", "--json")
    assert ran.code == 1
    assert ran.rows[0]["trouble"]
    assert run("index", "rebuild").code == 0
    assert run("index", "verify").code == 0
    assert run("index", "search", "harbour").code == 0


def test_compact_tells_what_was_freed(run: Run, write: Write, filled: Path) -> None:
    write("rows.jsonl", [{"id": f"r{n}", "text": f"Number {n}. {FIRST} {SECOND * 20}"} for n in range(40)])
    run("index", "add", filled)
    run("index", "remove", *(f"r{n}" for n in range(40)))
    (row,) = run("index", "compact", "--json").rows
    assert row["freed"] > 100_000
    assert "MiB freed." in run("index", "compact").out
    assert run("index", "verify").code == 0


def test_migrate_of_an_index_that_needs_none_says_so(run: Run, filled: Path) -> None:
    assert run("index", "migrate", "--json").rows == [{"articles": 0, "embedded": 0}]
    assert "already" in run("index", "migrate").out


def test_migrate_embeds_again_what_another_embedder_made(run: Run, filled: Path, settings: Settings) -> None:
    with closing(sqlite3.connect(settings.ledger_path)) as database, database:
        database.execute("UPDATE meta SET value = 'other-1' WHERE name = 'embedder'")
    assert "dateline index migrate" in run("index", "search", "harbour").message
    ran = run("index", "migrate", "--json")
    assert (ran.code, ran.rows) == (0, [{"articles": 2, "embedded": 2}])
    assert run("index", "verify").code == 0
    assert run("index", "search", "--json", "harbour").rows[0]["hits"][0]["article"] == "gwadar"
    assert run("index", "sync", filled, "--json").rows[-1]["summary"]["unchanged"] == 2


@pytest.mark.parametrize("command", ["verify", "rebuild", "compact", "migrate"])
def test_upkeep_of_an_empty_home_does_no_harm(run: Run, command: str) -> None:
    assert run("index", command, "--json").code == 0
    assert listed(run) == {}


@pytest.mark.parametrize("command", [["rebuild"], ["compact"]])
def test_what_needs_the_vector_store_says_who_has_it(
    run: Run, filled: Path, make_index: Callable[[], Any], command: list[str]
) -> None:
    with make_index() as holder:
        assert holder.projection.name == "chroma"
        assert "chat page" in run("index", *command).message
        assert "Not checked" in run("index", "verify").out
