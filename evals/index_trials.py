"""Hard trials of the index: killed at any moment, fed with broken files, on a full disk, on one it can't write to.

`dateline eval index` runs them at full length, the test suite a shortened version.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from evals.benchmark_sets import benchmarks_folder
from index.errors import GoldError
from index.reading import Reader, Reading, ReadProblem
from index.search import Index
from index.settings import Settings, load_settings
from index.upkeep import verify

Progress = Callable[[str, int, int], None]
_WORDS = (
    "harbour bridge mayor council ferry school budget river market railway hospital dam court election strike drought "
    "museum border treaty vaccine orchard tunnel airport festival survey mine lighthouse archive bakery weather"
).split()
_FULL_MIB = 240  # of a disk that is nearly full: the index wants 200 of them free
_KILL = "killed"
_DATELINE = f"{sys.executable} -m ui.cli"


@dataclass(frozen=True, slots=True)
class Kills:
    """What came of killing a process that was changing an index.

    `clean` and `pending`: after how many kills `verify` found nothing, or told what was still to be written to the
    vector store. `broken` are the kills after which anything else was wrong. `undisturbed` says whether the index in
    the end is that of a run without kills.
    """

    kills: int
    clean: int
    pending: int
    broken: tuple[str, ...]
    undisturbed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Fuzz:
    """What came of reading broken files: how many gave articles, how many a problem by name, and of which formats.

    `lost` are files of which nothing was told. `slowest` is the longest that one took, in seconds.
    """

    files: int
    articles: int
    problems: int
    lost: tuple[str, ...]
    by_format: dict[str, int]
    slowest: float


def kill_trial(folder: Path, kills: int, seed: int = 1, progress: Progress = lambda *_: None) -> Kills:
    """Kill processes that add, sync, remove and compact, at random moments, and look at the index after each.

    Args:
        folder: an empty folder to work in.
    """
    rng = random.Random(seed)  # noqa: S311 - the same trial each time
    articles, home, calm = folder / "articles", folder / "home", folder / "calm"
    articles.mkdir()
    started, clean, pending = time.monotonic(), 0, 0
    broken: list[str] = []
    longest = 2.0
    done = 0
    while done < kills:
        _change(articles, rng)
        command = rng.choice(_COMMANDS)(articles, home, rng)
        began = time.monotonic()
        if _run(command, home, rng.uniform(0.2, longest)) != _KILL:
            longest = max(1.0, min(longest, (time.monotonic() - began) * 1.2))
            continue
        longest = min(longest * 1.1, 6.0)
        done += 1
        progress("kills", done, kills)
        found = _verified(home)
        if found == "clean":
            clean += 1
        elif found == "pending":
            pending += 1
        else:
            broken.append(f"{' '.join(command[2:])}: {found}")
    for each in (home, calm):
        _run(["index", "sync", str(articles), "--allow-empty"], each, None)
    same = _content(home) == _content(calm) and _verified(home) == "clean"
    return Kills(kills, clean, pending, tuple(broken), same, time.monotonic() - started)


def fuzz_trial(folder: Path, files: int, seed: int = 1, progress: Progress = lambda *_: None) -> Fuzz:
    """Read files of every format that were broken in every way, each in the process that may fail.

    Args:
        folder: an empty folder to work in.
    """
    rng = random.Random(seed)  # noqa: S311
    samples = _samples(rng)
    lost: list[str] = []
    counts: Counter[str] = Counter()
    by_format: Counter[str] = Counter()
    slowest = 0.0
    with Reader(seconds=20) as reader:
        for number in range(files):
            suffix, data = rng.choice(samples)
            path = folder / f"{number}{suffix}"
            path.write_bytes(_broken(data, rng, [other for _, other in samples]))
            began = time.monotonic()
            results = list(reader.read(path))
            slowest = max(slowest, time.monotonic() - began)
            by_format[suffix] += 1
            counts["articles"] += any(isinstance(each, Reading) for each in results)
            counts["problems"] += any(isinstance(each, ReadProblem) for each in results)
            if not results:
                lost.append(path.name)
            path.unlink()
            progress("files", number + 1, files)
    return Fuzz(files, counts["articles"], counts["problems"], tuple(lost), dict(by_format), slowest)


def full_disk_trial(folder: Path) -> str:
    """Add to an index on a small disk until it is full, then look at it: "ok", or what went wrong.

    Needs to mount a disk in memory, which only an administrator may; "not tried: …" where that fails.
    """
    corpus = folder / "much.jsonl"
    rng = random.Random(1)  # noqa: S311
    with corpus.open("w") as out:
        for number in range(4_000):
            out.write(json.dumps({"id": f"n{number}", "text": _article(rng, 60)}) + "\n")
    home = folder / "disk"
    home.mkdir()
    untried = _on_disk(
        folder,
        f"mount -t tmpfs -o size={_FULL_MIB}m none {home}",
        f"export DATELINE_HOME={home}/home; "
        f"{_DATELINE} index add {corpus} --json > {folder}/out.txt 2> {folder}/err.txt; echo $? > {folder}/code.txt; "
        f"{_DATELINE} index verify --json > {folder}/verify.txt; "
        f"{_DATELINE} index search bridge --json > {folder}/found.txt",
    )
    if untried:
        return untried
    told = (folder / "err.txt").read_text()
    if (folder / "code.txt").read_text().strip() != "1" or "MiB left" not in told:
        return f"the full disk was not told: {told[-300:]}"
    found = json.loads((folder / "verify.txt").read_text())
    if found["trouble"] or found["lexical_missing"] or found["lexical_surplus"] or not found["articles"]:
        return f"the index is not whole: {found}"
    return "ok" if json.loads((folder / "found.txt").read_text())["hits"] else "nothing is found any more"


def read_only_trial(folder: Path) -> str:
    """Search an index on a disk that can only be read: "ok", or what went wrong; "not tried: …" without the right."""
    source = folder / "articles"
    source.mkdir()
    for number in range(3):
        (source / f"{number}.txt").write_text(_article(random.Random(number), 5))  # noqa: S311
    home = folder / "home"
    _run(["index", "add", str(source)], home, None)
    untried = _on_disk(
        folder,
        f"mount --bind {home} {home} && mount -o remount,ro,bind {home}",
        f"export DATELINE_HOME={home}; "
        f"{_DATELINE} index search harbour --json > {folder}/found.txt 2> {folder}/err.txt; "
        f"{_DATELINE} index remove 1 2> {folder}/refused.txt; echo $? > {folder}/code.txt",
    )
    if untried:
        return untried
    refused, found = (folder / "refused.txt").read_text(), (folder / "found.txt").read_text()
    if not found or not json.loads(found)["hits"]:
        return f"nothing is found: {(folder / 'err.txt').read_text()[-300:]}"
    if (folder / "code.txt").read_text().strip() != "1" or "can only be read" not in refused:
        return f"it was not refused to write: {refused[-300:]}"
    return "ok"


def _on_disk(folder: Path, mount: str, commands: str) -> str:
    """Run commands of a shell with something mounted that nobody else sees: "", or why it was not tried."""
    mounted = folder / "mounted"
    script = f"{mount} && touch {mounted} || exit 1; {commands}"
    try:
        ran = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)
    except FileNotFoundError:
        return "not tried: there is no unshare on this machine"
    return "" if mounted.exists() else f"not tried: {ran.stderr.strip()}"


def again_trial(folder: Path) -> str:
    """Add the news of 2025 twice: how long it took when nothing had changed; "not tried: …" without the set."""
    try:
        news = benchmarks_folder(os.environ, ["news-2025"]) / "news-2025" / "articles.jsonl"
    except GoldError as error:
        return f"not tried: {error}"
    home = folder / "home"
    seconds = []
    for _ in range(4):
        began = time.monotonic()
        if _run(["index", "add", str(news)], home, None) != 0:
            return "it could not be added"
        seconds.append(time.monotonic() - began)
    first, *again = seconds
    return f"ok: {sorted(again)[1]:.1f} s with the start of the program (median of 3), {first:.0f} s at first"


def _run(arguments: list[str], home: Path, seconds: float | None) -> str | int:
    """Run a command of ours; after so many seconds it is killed."""
    child = subprocess.Popen(
        [sys.executable, "-m", "ui.cli", *arguments], env=os.environ | {"DATELINE_HOME": str(home)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return _KILL


_COMMANDS: list[Callable[[Path, Path, random.Random], list[str]]] = [
    lambda articles, home, rng: ["index", "sync", str(articles), "--allow-empty"],
    lambda articles, home, rng: ["index", "sync", str(articles), "--allow-empty"],
    lambda articles, home, rng: ["index", "add", str(articles)],
    lambda articles, home, rng: ["index", "remove", *_some_ids(home, rng)],
    lambda articles, home, rng: ["index", rng.choice(["compact", "rebuild"])],
]


def _some_ids(home: Path, rng: random.Random) -> list[str]:
    with Index.open(_settings(home), briefly=True) as corpus:
        ids = list(corpus.ledger.known())
    return rng.sample(ids, min(len(ids), 3)) or ["none"]


def _verified(home: Path) -> str:
    with Index.open(_settings(home)) as corpus:
        found = verify(corpus)
    if found.is_clean:
        return "clean"
    rows = found.lexical_missing or found.lexical_surplus or found.trouble or found.unchecked
    return "pending" if not rows and (found.pending or found.vectors_surplus) else str(found)


def _settings(home: Path) -> Settings:
    return replace(load_settings(), home=home)


def _content(home: Path) -> dict[str, tuple[str, int]]:
    """Where each article came from → its digest and how many sentences it has."""
    with Index.open(_settings(home), briefly=True) as corpus:
        sentences = {row.id: row.sentences for row in corpus.articles()}
        return {origin: (digest, sentences[each]) for each, (digest, origin) in corpus.ledger.known().items()}


def _change(folder: Path, rng: random.Random) -> None:
    """Add, change, rename and delete some files and rows."""
    for _ in range(rng.randint(2, 6)):
        files = sorted(folder.iterdir())
        way = rng.choice(["add", "add", "change", "rename", "delete", "rows"])
        name = folder / f"{rng.choice(_WORDS)}-{rng.randint(0, 99)}{rng.choice(['.txt', '.md'])}"
        if way == "rows":
            rows = [{"id": f"row-{rng.randint(0, 20)}", "text": _article(rng, 4)} for _ in range(8)]
            lines = {row["id"]: json.dumps(row) for row in rows}
            (folder / "rows.jsonl").write_text("\n".join(lines.values()) + "\n")
        elif way == "add" or not files:
            name.write_text(_article(rng, rng.randint(1, 40)))
        elif way == "change":
            chosen = rng.choice(files)
            if chosen.suffix != ".jsonl":
                chosen.write_text(_article(rng, rng.randint(1, 40)))
        elif way == "rename" and not name.exists():
            chosen = rng.choice(files)
            if chosen.suffix != ".jsonl":
                chosen.rename(name.with_suffix(chosen.suffix))
        elif way == "delete" and len(files) > 8:
            rng.choice(files).unlink()


def _article(rng: random.Random, sentences: int) -> str:
    said = (" ".join(rng.choices(_WORDS, k=rng.randint(6, 18))).capitalize() + "." for _ in range(sentences))
    return " ".join(said) + "\n"


def _samples(rng: random.Random) -> list[tuple[str, bytes]]:
    """A whole file of each format."""
    import docx

    text = "\n\n".join(_article(rng, 6) for _ in range(5))
    written = io.BytesIO()
    document = docx.Document()
    document.add_heading("The bridge", 0)
    for part in text.split("\n\n"):
        document.add_paragraph(part)
    document.save(written)
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["Date"] = "The bridge", "a@example.org", "Tue, 04 Mar 2025 10:00:00 +0000"
    mail.set_content(text)
    mail.add_alternative(f"<html><body><p>{text}</p></body></html>", subtype="html")
    front = f"---\ntitle: The bridge\npublished: 2025-03-04\ntags: [a, b]\n---\n{text}"
    page = (
        "<html><head><title>The bridge</title><meta name='author' content='Ann'><script type='application/ld+json'>"
        '{"@type": "NewsArticle", "headline": "The bridge", "datePublished": "2025-03-04"}</script></head><body>'
        + "".join(f"<p>{part}</p>" for part in text.split("\n\n"))
        + "</body></html>"
    )
    rows = "\n".join(json.dumps({"id": n, "text": _article(rng, 3), "date": "2025-03-04"}) for n in range(5))
    table = "id,text,date\n" + "\n".join(f'{n},"{_article(rng, 3).strip()}",2025-03-04' for n in range(5))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.md", front)
        archive.writestr("b/c.jsonl", rows)
        archive.writestr("d.html", page)
    samples: list[tuple[str, str | bytes]] = [
        (".txt", text), (".md", front), (".html", page), (".pdf", small_pdf(text)), (".docx", written.getvalue()),
        (".eml", mail.as_bytes()), (".jsonl", rows), (".csv", table), (".zip", packed.getvalue()),
    ]  # fmt: skip
    return [(suffix, data.encode() if isinstance(data, str) else data) for suffix, data in samples]


def small_pdf(text: str) -> bytes:
    """A PDF of one page with this text, a line of it under the other."""
    lines = [line.replace("\\", "").replace("(", "").replace(")", "") for line in text.split("\n")]
    shown = " ".join(f"({line}) Tj T*" for line in lines)
    content = f"BT /F1 8 Tf 10 TL 20 800 Td {shown} ET".encode("latin-1", "replace")
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 2000 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = b"%PDF-1.4\n"
    places = []
    for number, part in enumerate(parts, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(out),
    )


def _broken(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """The bytes, broken in one to three ways."""
    for _ in range(rng.randint(1, 3)):
        data = rng.choice(_WAYS)(data, rng, others)
    return data


def _flipped(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 40)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _spliced(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    other = rng.choice(others)
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


_WAYS: list[Callable[[bytes, random.Random, list[bytes]], bytes]] = [
    _flipped,
    _spliced,
    lambda data, rng, others: data[: rng.randint(0, len(data))],
    lambda data, rng, others: data[rng.randint(0, len(data)) :],
    lambda data, rng, others: data * rng.randint(2, 5),
    lambda data, rng, others: data.replace(b"\n", rng.choice([b"\r", b"\0", b"\r\n", b""])),
    lambda data, rng, others: data + rng.randbytes(rng.randint(1, 4_000)),
    lambda data, rng, others: rng.choice([b"\xff\xfe", b"\xef\xbb\xbf", bytes(50), b"<" * 3_000, b"[" * 5_000]) + data,
    lambda data, rng, others: data.replace(b"2025", rng.choice([b"9" * 400, b"0000", b"\xd9\xa2\xd9\xa0"])),
]


def trials(kills: int, files: int, progress: Progress, workplace: Path) -> dict[str, Any]:
    """All of them; what each found, by name."""
    found: dict[str, Any] = {}
    for name, trial in (
        ("kills", lambda folder: kill_trial(folder, kills, progress=progress)),
        ("fuzz", lambda folder: fuzz_trial(folder, files, progress=progress)),
        ("full_disk", full_disk_trial),
        ("read_only", read_only_trial),
        ("again", again_trial),
    ):
        folder = workplace / name
        folder.mkdir()
        found[name] = trial(folder)
        shutil.rmtree(folder, ignore_errors=True)
    return found
