"""The page in a real browser, against an assistant made of paper.

Every expectation is about what a reader can see, and is retried until it holds.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Dialog, Page, Request, Route, expect

from index.errors import ConfigError
from tests.ui.fake_assistant import CLOSED, FERRIES, HOSTILE_TEXT, FakeAssistant
from ui.render import streaming_html
from ui.site import listen, server_config

pytestmark = pytest.mark.loopback

DESK = (1280, 860)
PHONE = (390, 844)
QUESTION = "What did the council decide about the old harbour?"


@dataclass(frozen=True, slots=True)
class Site:
    url: str
    assistant: FakeAssistant


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    assistant = FakeAssistant()
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(server_config(assistant, "127.0.0.1"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    _until(lambda: server.started)
    yield Site(f"http://127.0.0.1:{listening.getsockname()[1]}", assistant)
    server.should_exit = True
    thread.join(timeout=10)


# No slots: Playwright leaves an attribute on whatever has a bound method listening.
@dataclass
class Watched:
    """A page together with what must never happen on it."""

    page: Page
    site: Site
    foreign: list[str]
    alarms: list[str]

    def on_request(self, request: Request) -> None:
        if not request.url.startswith((self.site.url, "data:")):
            self.foreign.append(request.url)

    def on_dialog(self, dialog: Dialog) -> None:
        self.alarms.append(dialog.message)
        dialog.dismiss()

    def ask(self, question: str) -> None:
        self.page.get_by_label("Your question").fill(question)
        self.page.get_by_label("Your question").press("Enter")


def _open(browser: Browser, site: Site, size: tuple[int, int] = DESK) -> Watched:
    width, height = size
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    watched = Watched(page, site, [], [])
    page.on("request", watched.on_request)
    page.on("dialog", watched.on_dialog)
    page.on("pageerror", lambda error: watched.alarms.append(str(error)))
    page.on("console", lambda said: _note_errors(watched, said.type, said.text))
    page.goto(site.url)
    expect(page.get_by_text("3 articles")).to_be_visible(timeout=30_000)
    return watched


def _note_errors(watched: Watched, kind: str, text: str) -> None:
    if kind == "error":
        watched.alarms.append(text)


@pytest.fixture
def watched(browser: Browser, site: Site) -> Iterator[Watched]:
    watched = _open(browser, site)
    yield watched
    watched.page.context.close()
    assert watched.foreign == []
    assert watched.alarms == []


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


def test_answer_streams_after_its_evidence_and_ends_with_sources(watched: Watched) -> None:
    page = watched.page
    watched.ask(QUESTION)
    expect(page.get_by_text("4 sentences found")).to_be_visible()
    words = page.locator("#live .words")
    expect(words).to_have_text("")
    expect(words).to_contain_text("The council voted")
    expect(words).not_to_contain_text("overdue")
    expect(words).to_contain_text("overdue")
    expect(page.get_by_role("heading", name="Rests on")).to_be_visible()
    expect(page.get_by_text("4 sentences found · 3 read · first word 2.1 s · 5.3 s")).to_be_visible()
    expect(page.get_by_text("partly supported")).to_be_visible()
    expect(page.get_by_text("not supported")).to_be_visible()
    expect(page.get_by_label("Your question")).to_be_focused()


def test_chip_opens_the_article_at_the_cited_sentence(watched: Watched) -> None:
    page = watched.page
    watched.ask(QUESTION)
    expect(page.get_by_role("heading", name="Rests on")).to_be_visible(timeout=15_000)
    chip = page.get_by_role("button", name="Open source 1: Council closes").first
    chip.focus()
    page.keyboard.press("Enter")
    mark = page.locator("mark")
    expect(mark).to_have_text(CLOSED.text)
    expect(mark).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("complementary", name="Article")).to_contain_text("Mira Adeyemi")
    page.keyboard.press("Escape")
    expect(mark).to_have_count(0)
    expect(chip).to_be_focused()
    page.get_by_role("button", name=FERRIES.text).first.click()
    expect(mark).to_have_text(FERRIES.text)
    page.get_by_role("button", name="Close the article").click()
    expect(mark).to_have_count(0)


def test_reopening_a_sentence_scrolls_back_to_it(watched: Watched) -> None:
    page = watched.page
    watched.ask(QUESTION)
    expect(page.get_by_role("heading", name="Rests on")).to_be_visible(timeout=15_000)
    chip = page.locator("#live .chip").first
    chip.click()
    mark = page.locator("mark")
    expect(mark).to_be_in_viewport(ratio=1)
    page.locator("#reader").evaluate("panel => { panel.scrollTop = 0; }")
    expect(mark).not_to_be_in_viewport()
    chip.click()
    expect(mark).to_be_in_viewport(ratio=1)


def test_second_turn_keeps_the_first_and_what_was_open_in_it(watched: Watched) -> None:
    page = watched.page
    watched.ask(QUESTION)
    expect(page.get_by_role("heading", name="Rests on")).to_be_visible(timeout=15_000)
    watched.ask("Something unknown?")
    expect(page.get_by_text("Not in these articles")).to_be_visible()
    expect(page.get_by_text("Nearest passages")).to_be_visible()
    first = page.locator("#finished .turn").first
    expect(first).to_contain_text("The council voted 7–2")
    first.get_by_text("4 sentences found for it").click()
    fold = first.get_by_role("button", name="The ferry line said")
    expect(fold).to_be_visible()
    watched.ask("And again unknown?")
    expect(page.locator("#finished .turn")).to_have_count(2)
    expect(fold).to_be_visible()
    assert [turn.role for turn in watched.site.assistant.histories[-1]][:2] == ["user", "assistant"]


def test_chip_of_an_earlier_answer_works_while_another_streams(watched: Watched) -> None:
    page = watched.page
    watched.ask(QUESTION)
    expect(page.get_by_role("heading", name="Rests on")).to_be_visible(timeout=15_000)
    watched.ask("Tell me something endless")
    expect(page.locator("#live .words")).to_contain_text("word3")
    chip = page.locator("#finished .chip").first
    chip.click()
    expect(page.locator("mark")).to_have_text(CLOSED.text)
    chip.focus()
    scrolled = page.evaluate("window.scrollY")
    expect(page.locator("#live .words")).to_contain_text("word30")
    expect(chip).to_be_focused()
    assert page.evaluate("window.scrollY") == scrolled
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#live").get_by_text("Stopped.")).to_be_visible()


def test_stop_keeps_what_was_written(watched: Watched) -> None:
    page, assistant = watched.page, watched.site.assistant
    watched.ask("Tell me something endless")
    expect(page.locator("#live .words")).to_contain_text("word5")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#live").get_by_text("Stopped.")).to_be_visible()
    expect(page.locator("#live .words")).to_contain_text("word5")
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    expect(page.get_by_label("Your question")).to_be_focused()
    _until(lambda: assistant.opened == assistant.closed)


def test_stop_does_not_wait_for_the_next_word(watched: Watched) -> None:
    page = watched.page
    watched.ask("You will be stuck")
    expect(page.get_by_text("4 sentences found")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#live").get_by_text("Stopped.")).to_be_visible(timeout=1_500)


def test_who_has_to_wait_sees_how_many_come_before(watched: Watched) -> None:
    watched.ask("I am queued")
    expect(watched.page.get_by_text("2 other questions are answered first…")).to_be_visible()
    expect(watched.page.get_by_role("heading", name="Rests on")).to_be_visible(timeout=15_000)
    expect(watched.page.get_by_text("answered first")).not_to_be_visible()


def test_closing_the_tab_closes_the_stream(browser: Browser, site: Site) -> None:
    watched = _open(browser, site)
    watched.ask("Tell me something endless")
    expect(watched.page.locator("#live .words")).to_contain_text("word5")
    watched.page.context.close()
    _until(lambda: site.assistant.opened == site.assistant.closed)


def test_hostile_text_is_only_text(watched: Watched) -> None:
    page = watched.page
    watched.ask(f"hostile {HOSTILE_TEXT}")
    expect(page.get_by_role("heading", name="Rests on")).to_be_visible()
    shown = re.sub(r"\s+", " ", HOSTILE_TEXT)
    expect(page.locator("#live .question")).to_have_text(f"hostile {shown}")
    expect(page.locator("#live .words .sentence")).to_have_text(shown)
    page.locator("#live .chip").first.click()
    expect(page.locator("mark")).to_have_text(HOSTILE_TEXT)
    expect(page.locator("#reader")).to_contain_text("<svg onload=alert('note')>")
    expect(page.locator("#reader a")).to_have_count(0)
    expect(page.locator("#desk :is(img, script, svg, b, i, u)")).to_have_count(0)


def test_policy_stops_script_that_slipped_through(browser: Browser, site: Site) -> None:
    watched = _open(browser, site)
    page = watched.page
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend',"
        ' \'<img src="http://evil.example/x.png" onerror="document.title=1">\')'
    )
    page.wait_for_function("document.images.length === 1 && document.images[0].complete")
    expect(page).to_have_title("Dateline")
    assert any("Content Security Policy" in alarm for alarm in watched.alarms)
    page.context.close()


@pytest.mark.parametrize("question", ["x" * 2001, "   "])
def test_unreadable_question_is_refused_in_the_page(watched: Watched, question: str) -> None:
    page, opened = watched.page, watched.site.assistant.opened
    watched.ask(question)
    message = page.get_by_role("alert").filter(
        has_text="Write a question" if not question.strip() else "2,001 characters; 2,000"
    )
    expect(message).to_be_visible()
    expect(page.get_by_label("Your question")).to_have_value(question)
    assert watched.site.assistant.opened == opened


def test_ask_button_waits_for_a_question(page: Page) -> None:
    ask = page.get_by_role("button", name="Ask", exact=True)
    expect(ask).to_be_disabled()
    page.get_by_label("Your question").fill("Something unknown?")
    expect(ask).to_be_enabled()
    ask.click()
    expect(page.get_by_text("Not in these articles")).to_be_visible()
    expect(ask).to_be_disabled()


def test_failure_is_said_and_the_conversation_goes_on(watched: Watched) -> None:
    page = watched.page
    watched.ask("Please break")
    expect(page.locator("#live").get_by_text("the model <b>tripped</b> <img src=x")).to_be_visible()
    expect(page.locator("#live .words")).to_contain_text("The council voted")
    watched.ask(QUESTION)
    expect(page.get_by_role("heading", name="Rests on")).to_be_visible(timeout=15_000)


def test_new_conversation_clears_the_page(watched: Watched) -> None:
    page = watched.page
    watched.ask(QUESTION)
    expect(page.get_by_role("heading", name="Rests on")).to_be_visible(timeout=15_000)
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".turn")).to_have_count(0)
    watched.ask("Something unknown?")
    expect(page.get_by_text("Not in these articles")).to_be_visible()
    assert watched.site.assistant.histories[-1] == ()


def test_tabs_do_not_share_a_conversation(browser: Browser, watched: Watched) -> None:
    watched.ask("Something unknown?")
    expect(watched.page.get_by_text("Not in these articles")).to_be_visible()
    other = _open(browser, watched.site)
    expect(other.page.locator(".turn")).to_have_count(0)
    other.ask("Another unknown?")
    expect(other.page.get_by_text("Not in these articles")).to_be_visible()
    assert watched.site.assistant.histories[-1] == ()
    other.page.context.close()


def test_deleted_article_is_said(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    page = watched.page
    watched.ask("Something unknown?")
    expect(page.get_by_text("Not in these articles")).to_be_visible()
    monkeypatch.setattr("tests.ui.fake_assistant.ARTICLES", {})
    page.locator("#live .passage").first.click()
    expect(page.get_by_text("no longer in the collection")).to_be_visible()


def test_shelf_opens_an_article_from_its_start(page: Page) -> None:
    page.get_by_text("What is in here").click()
    page.get_by_role("button", name="Council closes the old harbour").click()
    expect(page.get_by_role("heading", name="Council closes")).to_be_in_viewport()
    link = page.get_by_role("link", name="Open the original")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")


def test_phone_shows_the_article_over_the_page(browser: Browser, site: Site) -> None:
    watched = _open(browser, site, PHONE)
    page = watched.page
    watched.ask(QUESTION)
    expect(page.get_by_role("heading", name="Rests on")).to_be_visible(timeout=15_000)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    page.locator("#live .chip").first.click()
    expect(page.locator("mark")).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Close the article").click()
    expect(page.get_by_label("Your question")).to_be_in_viewport()
    page.context.close()


def test_lost_connection_says_so(watched: Watched) -> None:
    page = watched.page

    def refuse(route: Route) -> None:
        route.abort()

    page.route("**/gradio_api/queue/join*", refuse)
    watched.ask("Something unknown?")
    expect(page.get_by_text(re.compile("connection|network|fetch", re.I)).first).to_be_visible()
    watched.alarms.clear()


def test_taken_port_is_said_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {port} is in use. Choose another: `dateline ui --port"):
            listen("127.0.0.1", port)


def test_interrupt_stops_without_a_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.ui.fake_assistant"],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith("Dateline is at http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=15) == 0
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("written", "chips", "text"),
    [
        ("Yes [1].", 1, "Yes."),
        ("Yes [1][2], [1, 2].", 4, "Yes,."),
        ("Yes [9].", 0, "Yes."),
        ("Yes [1, 9].", 1, "Yes."),
        ("Yes [1", 0, "Yes"),
        ("Yes [1]", 1, "Yes"),
        ("Yes [", 0, "Yes"),
        ("Yes [1, ", 0, "Yes"),
        ("Yes [" + "9" * 5000 + "].", 0, "Yes."),
        ("Yes [sic].", 0, "Yes [sic]."),
        ("A \ud800 B", 0, "A ? B"),
    ],
)
def test_markers_become_chips_or_vanish(written: str, chips: int, text: str) -> None:
    shown = streaming_html(written, (CLOSED, FERRIES))
    assert shown.count("<button") == chips
    without = re.sub(r"<sup>.*?</sup>|<[^>]*>", "", shown)
    assert without == text


def _until(holds: object, within: float = 15.0) -> None:
    assert callable(holds)
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)
