"""Compares a `llama-server` that was built here with the wheel's llama.cpp: the same questions to both, in turn.

Both get the same twelve questions about four short passages, at temperature 0 with seed 0 and nothing kept from one
question to the next. They take turns, and turns at going first, so that whatever else the machine does slows both; the
speeds are compared question by question, and the median of the twelve ratios counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from index.errors import ModelError
from rag.models.serving import BATCH_TOKENS, SPIN_COUNT, START_SECONDS, serve

_ANSWER_TOKENS = 48
_CONTEXT_TOKENS = 1024
_SECONDS = 300.0  # for one answer, on a machine that is busy with other work
_SYSTEM = "Answer the question from the passage, in one sentence."

# The wheel with the child's parameters, for one comparison: ends with standard input, shares nothing with the child
# that may be answering somebody meanwhile.
_WHEEL = """
import json, os, sys
from rag.models.child import _xllamacpp
try:
    server = _xllamacpp(json.loads(sys.stdin.readline()))  # it serves as long as the object is kept
    told = {"address": server.listening_address}
except Exception as error:
    told = {"error": str(error) or type(error).__name__}
print(json.dumps(told), flush=True)
sys.stdin.read()
os._exit(0)
"""

# Each passage with its questions, and a word or number that a right answer contains.
_PASSAGES: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "The ferry between the mainland and the island of Hale was out of service for nine days in February, after "
        "ice had damaged one of its two propellers. The operator brought in a smaller boat that carried 60 passengers "
        "but no cars, so goods for the island's three shops came by barge from the port of Norwick. Repairs cost "
        "410,000 euros, twice what the operator had first expected, because the shaft was bent as well. The island "
        "council asked for a second ferry, as it had done after the winters of 2011 and 2018. The regional government "
        "answered that a second ship would cost 14 million euros and that the harbour of Hale was too shallow for the "
        "type that it had in mind. It offered to deepen the harbour by two metres first, with work to begin in May "
        "and to end before the autumn storms. Fishermen warned that dredging in May would disturb the spawning of "
        "herring, and asked that it begin in July. A decision is due on 3 April, when the council meets again.",
        (
            ("How long was the ferry out of service?", "nine"),
            ("How many passengers did the smaller boat carry?", "60"),
            ("What did the repairs cost?", "410,000"),
        ),
    ),
    (
        "The city library of Torvald will stay open until midnight on weekdays from September, in a trial that lasts "
        "one year. Two guards will be on duty after eight in the evening, and borrowing will be by machine only. The "
        "trial follows a survey of 3,200 card holders, of whom 58 per cent said that they could not come before six. "
        "The library expects extra costs of 190,000 crowns, most of them for guards and heating; the city pays half, "
        "and the university, whose students make up a third of all visitors, the other half. The reading room on the "
        "second floor remains closed after eight because its lift is too old to run without staff in the building. A "
        "union of librarians called the plan a step towards a library without people. The director replied that no "
        "position would be cut and that two would be added, in the children's section on Saturdays. If fewer than "
        "ninety people a night come in the first six months, closing time goes back to nine o'clock.",
        (
            ("Until when will the library stay open on weekdays?", "midnight"),
            ("How many card holders were surveyed?", "3,200"),
            ("Who pays the other half of the extra costs?", "university"),
        ),
    ),
    (
        "Engineers have closed the Arden tunnel to lorries after cracks were found in the lining of its northern "
        "tube. Cars may still pass at 50 kilometres an hour. The cracks, up to four millimetres wide, run along 70 "
        "metres of the roof near the middle of the tunnel, where the rock is clay rather than granite. Sensors put in "
        "during 2016 had shown movement since December, but the readings were first taken for a fault of the sensors. "
        "Lorries now take the pass road, which adds 35 kilometres and is closed in heavy snow. Hauliers put the cost "
        "at 120 euros a trip. The road authority plans to fix steel ribs under the roof within eleven weeks, working "
        "at night so that cars can use the tunnel by day. The southern tube, which opened nine years later and has a "
        "thicker lining, shows no damage. An independent report on why the readings were not believed is to be "
        "published in June, together with the readings of all 84 sensors.",
        (
            ("How wide are the cracks?", "four"),
            ("How many kilometres does the pass road add?", "35"),
            ("Within how many weeks are the steel ribs to be fixed?", "eleven"),
        ),
    ),
    (
        "The orchard trust of the Leys valley has planted 2,400 apple trees of forty old varieties on land that was "
        "used for maize until last year. Most were grafted from trees that are more than a century old and stand in "
        "private gardens. The trust chose varieties that flower late, since frost in the last week of April has ruined "
        "three of the past five harvests. The first real crop is expected in four years. Until then sheep will graze "
        "between the rows, and the trust will live on a grant of 75,000 pounds from the county and on the sale of "
        "wool and honey. A cider maker in the next valley has promised to buy half of the first ten harvests at a "
        "fixed price. Bees are a worry: a count in March found 18 hives within two kilometres, and the trust says that "
        "it needs 30. It will lend hives free of charge to anyone who lives near the orchard and takes a course of two "
        "days. Visitors can walk through the rows every Sunday from ten until four.",
        (
            ("How many apple trees were planted?", "2,400"),
            ("When is the first real crop expected?", "four years"),
            ("How many hives does the trust need?", "30"),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """One server's answer: its text, whether it contains what was asked for, tokens a second read and written."""

    text: str
    right: bool
    read: float
    write: float


@dataclass(frozen=True, slots=True)
class Pair:
    """What both answered to one question."""

    built: Reply
    wheel: Reply


@dataclass(frozen=True, slots=True)
class Trial:
    """All answers of both."""

    pairs: tuple[Pair, ...]

    @property
    def asked(self) -> int:
        return len(self.pairs)

    @property
    def equal(self) -> int:
        """How many answers are the same, character by character."""
        return sum(pair.built.text == pair.wheel.text for pair in self.pairs)

    @property
    def lost(self) -> int:
        """How many questions the wheel answers right and the build does not."""
        return sum(pair.wheel.right and not pair.built.right for pair in self.pairs)

    @property
    def right(self) -> int:
        """How many questions the build answers right."""
        return sum(pair.built.right for pair in self.pairs)

    @property
    def ratio(self) -> float:
        """How many times as fast the build reads: the median over the questions."""
        return statistics.median(pair.built.read / pair.wheel.read for pair in self.pairs)

    def speed(self, of: Callable[[Pair], float]) -> float:
        """The median over the questions of one speed, such as `lambda pair: pair.built.read`."""
        return statistics.median(map(of, self.pairs))


def compare(binary: Path, model: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Trial:
    """Ask both servers every question. Call it from the main thread (`serving.serve`).

    Args:
        progress: gets (answers so far, answers in all).

    Raises:
        ModelError: one of the two can't be started or does not answer.
    """
    questions = [(passage, question, gold) for passage, asked in _PASSAGES for question, gold in asked]
    request = {
        "model": str(model),
        "alias": model.stem,
        "context_tokens": _CONTEXT_TOKENS,
        "batch": BATCH_TOKENS,
        "parallel": 1,
        "threads": len(os.sched_getaffinity(0)),
        "api_key": secrets.token_urlsafe(32),
    }
    with _built(binary, request) as built, _wheel(request) as wheel:
        for client in (built, wheel):
            _ask(client, *questions[0])  # what is loaded or allocated at the first question counts for nobody
        pairs = []
        for number, question in enumerate(questions):
            first, second = (built, wheel) if number % 2 else (wheel, built)
            replies = {first: _ask(first, *question)}
            progress(2 * number + 1, 2 * len(questions))
            replies[second] = _ask(second, *question)
            progress(2 * number + 2, 2 * len(questions))
            pairs.append(Pair(replies[built], replies[wheel]))

    return Trial(tuple(pairs))


def _ask(client: httpx.Client, passage: str, question: str, gold: str) -> Reply:
    request = {
        "messages": [
            {"role": "system", "content": _SYSTEM},
            {"role": "user", "content": f"{passage}\n\nQuestion: {question}"},
        ],
        "max_tokens": _ANSWER_TOKENS,
        "temperature": 0,
        "seed": 0,
        "cache_prompt": False,
    }
    try:
        answer = client.post("/v1/chat/completions", json=request).raise_for_status().json()
        text = str(answer["choices"][0]["message"]["content"])
        timings = answer["timings"]
        read, write = float(timings["prompt_per_second"]), float(timings["predicted_per_second"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"The server at {client.base_url} did not answer in the comparison: {error!r}.") from error
    return Reply(text, gold.casefold() in text.casefold(), read, write)


def _client(address: str, request: dict[str, Any]) -> httpx.Client:
    headers = {"Authorization": f"Bearer {request['api_key']}"}
    return httpx.Client(base_url=address, headers=headers, timeout=_SECONDS, trust_env=False)


@contextlib.contextmanager
def _built(binary: Path, request: dict[str, Any]) -> Iterator[httpx.Client]:
    # The same spinning as the wheel's child gets below.
    process, address = serve(binary, request, {"GOMP_SPINCOUNT": SPIN_COUNT})
    try:
        with _client(address, request) as client:
            yield client
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _wheel(request: dict[str, Any]) -> Iterator[httpx.Client]:
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [sys.executable, "-P", "-c", _WHEEL],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            env={"GOMP_SPINCOUNT": SPIN_COUNT, **os.environ},
        ) as process,
    ):  # fmt: skip
        assert process.stdin and process.stdout
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            alarm = threading.Timer(START_SECONDS, process.kill)  # ends the read below
            alarm.start()
            try:
                line = process.stdout.readline()
            finally:
                alarm.cancel()
            answer = json.loads(line) if line.startswith("{") else {}
            if "address" not in answer:
                raise ModelError(
                    f"The wheel's llama.cpp can't load {request['model']}: {answer.get('error', 'it died')}."
                )
            with _client(answer["address"], request) as client:
                yield client
        finally:
            process.kill()
