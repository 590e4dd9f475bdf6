"""The whole way on the starter corpus: real embedder, Chroma and LLM, and the page in a real browser.

The LLM is started once for all of these tests. The network is closed but for the loopback interface throughout.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, expect

from index.errors import ModelError
from index.settings import load_settings
from rag.assistant import Answered, Assistant, EvidenceFound, TextAdded
from rag.listing import SAYS
from rag.models.files import is_ready
from rag.types import Answer, Kind, Support, Turn
from ui.site import listen, server_config

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

ARTICLES = Path(__file__).parents[1] / "seeds" / "articles"
FOUR_STATES = "Which four Central Asian states sent military leaders to the Islamabad conference?"
# Before any fixture gives a test a cache of its own: the model file is shared, and made by `make model`.
SETTINGS = load_settings()


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    assert is_ready(SETTINGS), f"there is no model file in {SETTINGS.cache}; run `make model`"
    home = tmp_path_factory.mktemp("home")
    with Assistant(dataclasses.replace(SETTINGS, home=home)) as assistant:
        assistant.start()
        assistant.index.add([ARTICLES])
        yield assistant


@pytest.fixture(scope="module")
def four_states(assistant: Assistant) -> Answer:
    return assistant.ask(FOUR_STATES)


def test_the_answer_names_all_four_states(four_states: Answer) -> None:
    assert not four_states.declined
    for state in ("Kazakhstan", "Kyrgyzstan", "Tajikistan", "Uzbekistan"):
        assert state in four_states.text
    assert "[" not in four_states.text


def test_every_quote_is_the_article_s_text_at_its_offsets(assistant: Assistant, four_states: Answer) -> None:
    citations = four_states.citations
    assert citations
    for citation in citations:
        assert assistant.article(citation.article).text[citation.start : citation.end] == citation.quote
    assert any("Kazakhstan" in citation.quote for citation in citations)
    assert {s.support for s in four_states.sentences} == {Support.SUPPORTED}


def test_timings_and_usage_are_the_answer_s_own(four_states: Answer) -> None:
    timings = four_states.timings
    assert timings.first_word_ms is not None
    assert 0 < timings.retrieve_ms < timings.evidence_ms < timings.first_word_ms <= timings.total_ms
    assert four_states.usage.prompt_tokens > 100
    assert four_states.usage.completion_tokens > 5


def test_the_same_question_gets_the_same_answer(assistant: Assistant, four_states: Answer) -> None:
    again = assistant.ask(FOUR_STATES)
    assert again.text == four_states.text
    assert again.citations == four_states.citations
    assert again.usage.cached_tokens == again.usage.prompt_tokens - 1  # the prompt was not read a second time


def test_two_who_ask_at_once_get_the_answers_that_each_gets_alone(assistant: Assistant, four_states: Answer) -> None:
    other = (
        "Who argued at the Islamabad conference that hybrid challenges call for militaries to cooperate more closely?"
    )
    alone = {FOUR_STATES: four_states, other: assistant.ask(other)}
    assistant.ask("How many miners were killed at Duki?")  # so that nothing is held any more
    with ThreadPoolExecutor(2) as both:
        together = dict(zip(alone, both.map(assistant.ask, alone), strict=True))
    for question, answer in together.items():
        assert (answer.text, answer.confidence) == (alone[question].text, alone[question].confidence)


def test_what_no_article_is_about_is_declined(assistant: Assistant) -> None:
    answer = assistant.ask("How many moons does the planet Neptune have?")
    assert answer.declined
    assert answer.sentences == ()
    assert answer.refusal
    assert answer.evidence  # the nearest passages


def test_a_follow_up_is_understood_from_the_conversation(assistant: Assistant) -> None:
    history = [
        Turn("user", "Who was stopped from leaving Pakistan after the Karachi attack?"),
        Turn("assistant", "Mahrang Baloch was stopped from leaving the country."),
    ]
    answer = assistant.ask("What does she hold China responsible for?", history=history)
    assert "Mahrang" in answer.standalone
    assert any(e.article.id == "iran-china-epiphany" for e in answer.evidence)


def test_small_talk_is_answered_without_reading(assistant: Assistant) -> None:
    answer = assistant.ask("hello")
    assert answer.kind in (Kind.TALK, Kind.ABILITY)
    assert (answer.text, answer.evidence, answer.read) == (SAYS[answer.kind], (), ())


def test_an_overview_is_written_from_every_article(assistant: Assistant) -> None:
    answer = assistant.ask("What are the articles about?")
    assert answer.kind is Kind.OVERVIEW
    assert {e.article.id for e in answer.evidence} == {row.id for row in assistant.articles()}


def test_closing_the_stream_frees_the_model(assistant: Assistant) -> None:
    stream = assistant.stream("What does the column say about relations between Moscow and Islamabad?")
    assert isinstance(next(stream), EvidenceFound)
    assert any(isinstance(event, TextAdded) for event in stream)  # as far as the first word, and not further
    stream.close()
    server = assistant.llm.local_server
    _until(lambda: not any(slot["is_processing"] for slot in server.slots()), within=10)


def test_what_follows_a_stop_is_answered_as_if_nothing_had_been_stopped(
    assistant: Assistant, four_states: Answer
) -> None:
    server = assistant.llm.local_server
    moments = random.Random(14)
    for _ in range(3):
        stop = threading.Event()
        threading.Timer(moments.uniform(0, 4), stop.set).start()
        events = list(assistant.stream("What does the column say about Moscow and Islamabad?", stop=stop))
        assert not stop.is_set() or not any(isinstance(event, Answered) for event in events)
        _until(lambda: not any(slot["is_processing"] for slot in server.slots()), within=10)
        assert assistant.ask(FOUR_STATES).text == four_states.text


def test_two_processes_share_the_model_and_its_slots(assistant: Assistant, tmp_path: Path) -> None:
    pid = assistant.llm.local_server.pid
    with Assistant(dataclasses.replace(SETTINGS, home=tmp_path / "other")) as other:
        other.start()
        other.index.add([ARTICLES])
        texts: dict[str, str] = {}

        def ask(name: str, asked: Assistant, question: str) -> None:
            texts[name] = asked.ask(question).text

        asking = [
            threading.Thread(target=ask, args=(str(n), (assistant, other)[n % 2], question))
            for n, question in enumerate([FOUR_STATES, "Who is the head of Centcom?"] * 2)
        ]
        for each in asking:
            each.start()
        for each in asking:
            each.join()
        assert other.llm.local_server.pid == pid
        assert all("Uzbekistan" in texts[n] for n in "02"), texts
        assert all("Kurilla" in texts[n] for n in "13"), texts
    assert assistant.llm.local_server.pid == pid, "it ended with one who shared it"


def test_a_child_that_is_killed_at_any_moment_gives_a_whole_answer_or_none(
    assistant: Assistant, four_states: Answer
) -> None:
    moments = random.Random(5)
    said: list[str] = []
    for _ in range(3):
        pid = assistant.llm.local_server.pid
        assert pid is not None
        killing = threading.Timer(moments.uniform(0.1, 5), os.kill, (pid, signal.SIGKILL))
        killing.start()
        try:
            assert assistant.ask(FOUR_STATES).text == four_states.text
        except ModelError as error:
            said.append(str(error))
        killing.join()
        _until(lambda pid=pid: assistant.llm.local_server.pid != pid)
        assert assistant.llm.local_server.address
    assert all("incomplete" in error for error in said), said


def test_a_killed_server_is_started_again(assistant: Assistant) -> None:
    pid = assistant.llm.local_server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    _until(lambda: assistant.llm.local_server.pid is None)
    assert "Uzbekistan" in assistant.ask(FOUR_STATES).text
    assert assistant.llm.local_server.pid not in (None, pid)


def test_the_page_answers_and_a_citation_opens_its_sentence(assistant: Assistant, browser: Browser) -> None:
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(server_config(assistant, "127.0.0.1"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    _until(lambda: server.started)
    page = browser.new_page()
    try:
        page.goto(f"http://127.0.0.1:{listening.getsockname()[1]}")
        expect(page.get_by_text("5 articles")).to_be_visible(timeout=30_000)
        expect(page.get_by_role("button", name="Which four Central Asian states")).to_be_visible()
        page.get_by_label("Your question").fill("Who is the head of Centcom?")
        page.get_by_label("Your question").press("Enter")
        expect(page.get_by_text("sentences found")).to_be_visible(timeout=30_000)
        expect(page.locator("#live .words")).to_contain_text("Kurilla", timeout=120_000)
        expect(page.get_by_role("heading", name="Rests on")).to_be_visible(timeout=60_000)
        page.locator("#live .chip").first.click()
        mark = page.locator("mark")
        expect(mark).to_be_in_viewport()
        quote = mark.inner_text()
        assert any(quote in assistant.article(row.id).text for row in assistant.articles())
        assert "Kurilla" in quote
    finally:
        page.close()
        server.should_exit = True
        thread.join(timeout=10)


def test_a_stream_gives_evidence_then_words_then_the_answer(assistant: Assistant) -> None:
    events = list(assistant.stream("Who is the head of Centcom?"))
    assert isinstance(events[0], EvidenceFound)
    assert isinstance(events[-1], Answered)
    kinds = [kind for kind, _ in itertools.groupby(events[:-1], key=type)]
    assert kinds == [EvidenceFound, TextAdded]
    assert events[0].evidence == events[-1].answer.evidence
    assert all(e.article.text[e.start : e.end] == e.text for e in events[0].evidence)


def _until(holds: object, within: float = 30.0) -> None:
    assert callable(holds)
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)
