"""What is kept, found and distrusted, with small files; and, when asked for, the real build.

    DATELINE_NATIVE_TEST=1 make test        also builds llama.cpp: ten minutes or more, and the network

(or `DATELINE_NATIVE_TEST=1 pytest tests/ui/test_native.py`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import secrets
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from index.errors import ConfigError, DiskFull, ModelError
from index.settings import Settings, load_settings
from rag.models.files import is_ready, model_path
from rag.models.native import Native, cpu_identity, distrust, find, why_unused
from rag.models.serving import serve
from tests.conftest import Run
from ui import native
from ui.native import build, remove
from ui.trial import Pair, Reply, Trial

# Before any fixture gives a test a cache and an environment of its own.
SETTINGS = load_settings()
IS_BUILD_WANTED = bool(os.environ.get("DATELINE_NATIVE_TEST"))

PROGRAM = b"\x7fELF and the rest of a program"


def pair(built: str, wheel: str = "", *, read: float = 180.0, right: bool = True) -> Pair:
    return Pair(Reply(built, right, read, 30.0), Reply(wheel or built, True, 100.0, 27.0))


@pytest.fixture
def built(settings: Settings, tmp_path: Path) -> Native:
    """What a build leaves after it was compared."""
    binary = tmp_path / "llama-server"
    binary.write_bytes(PROGRAM)
    (settings.cache / "native").mkdir(parents=True)
    return native._install(settings.cache, binary, Trial((pair("a"), pair("b"), pair("c", "d", read=190.0))))


@pytest.fixture
def without_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all programs that a test may use: none."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_what_was_built_is_found_with_its_figures(settings: Settings, built: Native) -> None:
    found = find(settings.cache)
    assert found == built
    assert found.path == settings.cache / "native" / "llama-server"
    assert found.path.read_bytes() == PROGRAM
    assert found.sha256 == hashlib.sha256(PROGRAM).hexdigest()
    assert (found.read, found.read_wheel, found.write, found.write_wheel) == (180.0, 100.0, 30.0, 27.0)
    assert (found.ratio, found.asked, found.equal) == (1.8, 3, 2)
    assert why_unused(settings.cache) == ""


def test_nothing_built_is_nothing_found_and_looking_makes_nothing(settings: Settings) -> None:
    assert find(settings.cache) is None
    assert why_unused(settings.cache) == ""
    assert not settings.cache.exists()


@pytest.mark.parametrize("content", [PROGRAM[:-1], b"", None])
def test_another_file_is_not_used(settings: Settings, built: Native, content: bytes | None) -> None:
    built.path.unlink()
    if content is not None:
        built.path.write_bytes(content)
    assert find(settings.cache) is None
    assert "llama-server" in why_unused(settings.cache)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"cpu": "Another CPU"}, "built for another processor"),
        ({"cpu_flags": "0" * 64}, "built for another processor"),
        ({"llama_cpp": "0.1.0"}, r"built from llama.cpp 0.1.0"),
        ({"sha256": "0" * 64}, "not the file that was verified"),
    ],
)
def test_a_record_of_something_else_is_not_used(
    settings: Settings, built: Native, changed: dict[str, str], reason: str
) -> None:
    record = settings.cache / "native" / "llama-server.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | changed))
    assert find(settings.cache) is None
    assert reason in why_unused(settings.cache)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '"x"', '{"sha256": 5}'])
def test_a_damaged_record_is_not_used(settings: Settings, built: Native, content: str) -> None:
    (settings.cache / "native" / "llama-server.json").write_text(content)
    assert find(settings.cache) is None
    assert "can't be read" in why_unused(settings.cache)


CPUINFO = "".join(f"processor\t: {n}\nmodel name\t: {{name}}\nflags\t\t: {{flags}}\n\n" for n in range(2))


def test_the_processor_is_its_name_and_its_extensions_in_any_order(tmp_path: Path) -> None:
    def identity(name: str, flags: str) -> tuple[str, str]:
        path = tmp_path / "cpuinfo"
        path.write_text(CPUINFO.format(name=name, flags=flags))
        return cpu_identity(path)

    first = identity("Fast 9000", "avx2 avx512f")
    assert first[0] == "Fast 9000"
    assert identity("Fast 9000", "avx512f avx2") == first
    assert identity("Fast 9000", "avx2") != first
    assert identity("Fast 9001", "avx2 avx512f") != first


def test_an_arm_processor_and_an_unknown_system_have_an_identity_too(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nFeatures\t: fp asimd sve\nCPU part\t: 0xd40\n")
    arm = cpu_identity(path)
    assert arm[0] == "0xd40"
    path.write_text("processor\t: 0\nFeatures\t: fp asimd\nCPU part\t: 0xd40\n")
    assert cpu_identity(path) != arm
    assert cpu_identity(tmp_path / "nowhere")[0]


def test_a_distrusted_program_is_not_found_until_the_next_build(
    settings: Settings, built: Native, tmp_path: Path
) -> None:
    distrust(settings.cache, "it ended with code -4\n  while it started")
    assert find(settings.cache) is None
    assert why_unused(settings.cache) == "it failed: it ended with code -4 while it started"
    binary = tmp_path / "again"
    binary.write_bytes(PROGRAM)
    again = native._install(settings.cache, binary, Trial((pair("a"),)))
    assert find(settings.cache) == again


def test_distrust_that_cannot_be_noted_is_logged(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    distrust(tmp_path / "nowhere", "it failed")
    assert "can't be written" in caplog.text


def test_removing_leaves_nothing_to_find(settings: Settings, built: Native) -> None:
    assert remove(settings.cache)
    assert find(settings.cache) is None
    assert not (settings.cache / "native").exists()
    assert not remove(settings.cache)


# Building


def test_missing_tools_are_named_with_the_remedy(settings: Settings, without_tools: Path) -> None:
    with pytest.raises(ModelError, match=r"cmake, make, a C\+\+ compiler.*apt-get install cmake make g\+\+"):
        build(settings)
    assert not settings.cache.exists()


def test_one_missing_tool_is_named_alone(settings: Settings, without_tools: Path) -> None:
    for name in ("make", "g++", "gcc"):
        (without_tools / name).write_text("#!/bin/sh\n")
        (without_tools / name).chmod(0o755)
    assert native.missing_tools() == ["cmake"]


def test_with_an_endpoint_there_is_nothing_to_build(settings: Settings) -> None:
    with pytest.raises(ConfigError, match=r"http://elsewhere.*DATELINE_LLM_ENDPOINT"):
        build(dataclasses.replace(settings, endpoint="http://elsewhere"))


@pytest.fixture
def ready(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Everything that comes before the download."""
    model = tmp_path / "own.gguf"
    model.write_bytes(b"GGUF and more")
    monkeypatch.setattr(native, "missing_tools", list)
    return dataclasses.replace(settings, model=str(model))


def left(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.cache / "native").iterdir())


@pytest.mark.usefixtures("full_disk")
def test_too_little_space_is_told_before_anything_is_fetched(ready: Settings) -> None:
    with pytest.raises(DiskFull, match="DATELINE_CACHE"):
        build(ready)


def test_a_source_that_cannot_be_fetched_is_an_error_and_leaves_nothing(
    ready: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "index").as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    killed = ready.cache / "native" / "build-killed"
    killed.mkdir(parents=True)
    with pytest.raises(ModelError, match=rf"llama-cpp-python {native.SOURCE_VERSION} can't be downloaded \(python"):
        build(ready)
    assert left(ready) == []


def test_an_interrupted_build_leaves_nothing_and_keeps_what_was_built(
    ready: Settings, built: Native, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(folder: Path, _: Any) -> Path:
        (folder / "half.tar.gz").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(native, "_download", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build(ready)
    assert left(ready) == ["llama-server", "llama-server.json"]
    assert find(ready.cache) == built


def test_two_builds_do_not_meet(ready: Settings) -> None:
    with native._alone(ready.cache), pytest.raises(ModelError, match="Another process is building"):
        build(ready)


def test_a_file_with_another_digest_is_never_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(command: list[str], *_: Any, **__: Any) -> None:
        (tmp_path / native._ARCHIVE).write_bytes(b"something else")

    monkeypatch.setattr(native, "_run", fetch)
    with pytest.raises(ModelError, match=r"SHA-256 .* instead of 832db0699007"):
        native._download(tmp_path, lambda *_: None)


def test_only_llama_cpp_is_unpacked_and_nothing_outside_the_folder(tmp_path: Path) -> None:
    root = f"llama_cpp_python-{native.SOURCE_VERSION}"
    inside = f"{root}/vendor/llama.cpp"
    names = {
        f"{inside}/CMakeLists.txt": True, f"{inside}/src/llama.cpp": True, f"{inside}/models/vocab.gguf": False,
        f"{inside}/../../../../escaped": False, f"{root}/setup.py": False, "/absolute": False,
    }  # fmt: skip
    (tmp_path / "here").mkdir()
    archive = tmp_path / "here" / "source.tar.gz"
    with tarfile.open(archive, "w:gz") as package:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 4
            package.addfile(member, io.BytesIO(b"text"))
    source = native._unpack(archive)
    found = {f"{inside}/{path.relative_to(source)}" for path in source.rglob("*") if path.is_file()}
    assert found == {name for name, is_wanted in names.items() if is_wanted}
    assert not list(tmp_path.rglob("escaped"))


def test_a_program_that_fails_is_an_error_with_its_last_lines() -> None:
    code = "import sys; print('[ 10%] one'); print('[ 20%] two'); sys.exit('no such header')"
    lines: list[str] = []
    with pytest.raises(ModelError, match=r"It broke \(python\S* ended with code 1\): .*no such header"):
        native._run([sys.executable, "-uc", code], {}, "It broke", tell=lines.append)
    assert lines[:2] == ["[ 10%] one", "[ 20%] two"]


def test_a_program_that_is_interrupted_is_ended(tmp_path: Path) -> None:
    code = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"

    def watch() -> None:
        with contextlib.suppress(OSError, ValueError):
            int((tmp_path / "pid").read_text())
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        native._run([sys.executable, "-c", code], {}, "It broke", watch=watch)
    assert time.monotonic() - started < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_the_flags_of_an_outer_make_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEFLAGS", "n --jobserver-auth=3,4")
    lines: list[str] = []
    code = "import os; print(os.environ.get('MAKEFLAGS'))"
    native._run([sys.executable, "-c", code], {}, "It broke", tell=lines.append)
    assert lines == ["None"]


# The comparison's verdict


def test_as_good_and_faster_is_kept_though_words_differ() -> None:
    native._check_trial(Trial((pair("a"), pair("b"), pair("c", "in other words"), pair("d", "differently"))))


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([pair("a"), pair("b"), pair("c", "d", right=False)], "2 of 3 answers are equal, 1 right ones are lost"),
        ([pair("a"), pair("b", "x"), pair("c", "d")], "1 of 3 answers are equal, 0 right ones are lost"),
        ([pair("a", read=105.0), pair("b", read=300.0), pair("c", read=100.0)], "1.05 times as fast"),
    ],
)
def test_one_that_answers_otherwise_or_is_no_faster_is_not_kept(pairs: list[Pair], reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        native._check_trial(Trial(tuple(pairs)))


# The command


def test_the_command_removes_and_says_so(dateline: Run, settings: Settings, built: Native) -> None:
    assert dateline("native", "--remove", "--json").rows == [{"removed": True}]
    assert dateline("native", "--remove").out == "Nothing was built.\n"


def test_the_command_names_what_is_missing(dateline: Run, without_tools: Path) -> None:
    assert "apt-get install cmake" in dateline("native").message


def test_the_command_has_an_example(dateline: Run) -> None:
    assert "Example: dateline native" in dateline("native", "--help").out


# The real build


@pytest.mark.loopback
@pytest.mark.skipif(not IS_BUILD_WANTED, reason="takes ten minutes and the network: DATELINE_NATIVE_TEST=1")
def test_the_whole_build_serves_what_dateline_asks_for(tmp_path: Path) -> None:
    assert is_ready(SETTINGS), f"there is no model file in {SETTINGS.cache}; run `make model`"
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "models").symlink_to(SETTINGS.cache / "models")
    settings = dataclasses.replace(SETTINGS, cache=cache)
    # In a process of its own: pip goes past this one's closed sockets, and the server is served from its main thread.
    environment = os.environ | {"DATELINE_CACHE": str(cache)}
    ran = subprocess.run([sys.executable, "-m", "ui.cli", "native", "--json"], env=environment, capture_output=True)
    assert ran.returncode == 0, ran.stderr.decode()
    found = find(cache)
    assert found is not None
    assert left(settings) == ["llama-server", "llama-server.json"]
    assert found.ratio >= native.LEAST_RATIO
    _check_served(found.path, model_path(settings))


def _check_served(binary: Path, model: Path) -> None:
    key = secrets.token_urlsafe(32)
    request = {
        "model": str(model), "alias": "the-model", "context_tokens": 512, "threads": 2, "api_key": key,
        "parallel": 2, "batch": 128,
    }  # fmt: skip
    process, address = serve(binary, request)
    try:
        assert httpx.get(f"{address}/slots").status_code == 401
        assert httpx.get(f"{address}/", headers={"Authorization": f"Bearer {key}"}).status_code == 404, "a web page"
        assert key.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        origin = httpx.get(f"{address}/health", headers={"Origin": "http://evil.example"})
        assert origin.headers.get("Access-Control-Allow-Origin", "") == ""
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=address, headers=headers, timeout=120, trust_env=False) as client:
            assert [slot["id"] for slot in client.get("/slots").raise_for_status().json()] == [0, 1]
            tokens = client.post("/tokenize", json={"content": "a café", "with_pieces": True}).json()["tokens"]
            assert "".join(token["piece"] for token in tokens) == "a café"
            messages = [{"role": "system", "content": "Be brief. " * 20}]
            first = {"messages": messages, "max_tokens": 1, "temperature": 0, "id_slot": 0}
            client.post("/v1/chat/completions", json=first).raise_for_status()
            second = {
                "messages": [*messages, {"role": "user", "content": "Which colour has the sky?"}],
                "max_tokens": 8, "temperature": 0, "seed": 0, "cache_prompt": True, "id_slot": 0, "stream": True,
                "stream_options": {"include_usage": True},
            }  # fmt: skip
            lines = client.post("/v1/chat/completions", json=second).raise_for_status().text.splitlines()
            events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
            usage = events[-1]["usage"]
            assert events[-1]["choices"] == []
            assert 40 < usage["prompt_tokens_details"]["cached_tokens"] < usage["prompt_tokens"]
            assert 0 < usage["completion_tokens"] <= 8
            assert {event.get("model") for event in events} == {"the-model"}
    finally:
        process.kill()
        process.wait()
