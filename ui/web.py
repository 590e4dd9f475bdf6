"""The chat page: wiring between an assistant, the reader's browser and render.py.

Boundary: this module decides what happens when; it writes no markup from outside text itself (render.py does, and
escapes it) and knows nothing of search or models beyond Assistant. What a reader asked and got lives in gr.State, one
per browser tab; nothing is shared between tabs but the assistant.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict

import gradio as gr
from gradio.blocks import Block

from index.errors import DatelineError, UnknownArticle
from index.search import MAX_QUESTION
from rag.assistant import Answered, Assistant, Event, EvidenceFound, Queued, ReadOn, TextAdded
from rag.types import EvidenceSentence, Turn
from ui import render
from ui.writing import Desk, Writing

TITLE = "Dateline"
WAITING = 32
AT_ONCE = 4

# What the starter corpus is asked to show; an example is offered while its article is in the corpus.
EXAMPLES = (
    ("security-conference-islamabad", "Which four Central Asian states sent military leaders to the conference?"),
    ("iran-china-epiphany", "How many people were injured in the bombing near Karachi airport on 6 October 2024?"),
    ("arms-for-kiev-reports", "What did the video about Pakistani artillery claim to show?"),
)

_HERE = Path(__file__).parent
_TRANSCRIPT_JS = (_HERE / "transcript.js").read_text(encoding="utf-8")
_READER_JS = (_HERE / "reader.js").read_text(encoding="utf-8")
_MASTHEAD = (
    '<header class="masthead"><h1>Dateline</h1><p>Answers from the articles, each sentence with '
    "the sentences it rests on. What the articles don’t hold, it says so.</p></header>"
)
_LOOKING = "Looking through the articles."
_READY = "The answer is ready."
_STOPPED = "Stopped."
_EMPTY = "Write a question first."
_TOO_LONG = "That question has {length:,} characters; {limit:,} is the most Dateline reads."
_FAILED = "Something went wrong, so this answer is not finished: {error}"
_CUT_SHORT = "The answer ended before it was complete."
_GONE = "This article is no longer in the collection."

_log = logging.getLogger(__name__)

Updates: TypeAlias = dict[Block, object]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and what became of it; reply is "" when there is nothing to build on."""

    question: str
    reply: str
    html: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything one browser tab has asked so far."""

    exchanges: tuple[Exchange, ...] = ()

    def history(self) -> tuple[Turn, ...]:
        return tuple(
            turn
            for exchange in self.exchanges
            if exchange.reply
            for turn in (Turn("user", exchange.question), Turn("assistant", exchange.reply))
        )

    def html(self) -> str:
        return "".join(exchange.html for exchange in self.exchanges)

    def with_exchange(self, exchange: Exchange) -> Conversation:
        return Conversation((*self.exchanges, exchange))


@dataclass(slots=True)
class Draft:
    """What has arrived of one answer."""

    question: str
    evidence: tuple[EvidenceSentence, ...] | None = None
    text: str = ""
    ahead: int = 0
    done: Exchange | None = field(default=None)

    def add(self, event: Event) -> None:
        match event:
            case EvidenceFound(evidence=evidence):
                self.evidence = evidence
            case Queued(ahead=ahead):
                self.ahead = ahead
            case TextAdded(text=text):
                self.text += text
            case ReadOn(read=read):
                self.text, self.evidence = "", read
            case Answered(answer=answer):
                self.done = self._exchange(answer.text, render.answer_html(answer), _READY)

    def html(self) -> str:
        if self.evidence is None:
            return render.turn_html(self.question, render.looking_html())
        return render.turn_html(self.question, render.writing_html(self.text, self.evidence, self.ahead))

    def broken_off(self, notice: str, *, keep: bool) -> Exchange:
        body = render.broken_off_html(self.text, self.evidence or (), notice)
        return self._exchange(self.text if keep else "", body, notice)

    def _exchange(self, reply: str, body: str, outcome: str) -> Exchange:
        return Exchange(self.question, reply, render.turn_html(self.question, body), outcome)


def build_page(assistant: Assistant) -> gr.Blocks:
    """The page for one assistant, not yet served."""
    present = {row.id for row in assistant.articles()}
    examples = [question for article, question in EXAMPLES if article in present]
    # analytics_enabled=False: otherwise building the page alone already calls out.
    page = gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True)
    with page:
        _Page(assistant, examples).wire(page)
    page.queue(max_size=WAITING, default_concurrency_limit=AT_ONCE, api_open=False)
    return page


class _Quiet(TypedDict):
    """What every event shares: no overlay over the text, no entry in the API."""

    show_progress: Literal["hidden"]
    api_visibility: Literal["private"]


class _Page:
    """The page's components and what happens on each event."""

    def __init__(self, assistant: Assistant, examples: Sequence[str]) -> None:
        self._assistant = assistant
        self._desk = Desk()
        self._conversation = gr.State(Conversation())
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="talk"):
                self._build_talk(examples)
            with gr.Column(elem_id="reader"):
                self._reader = _html(js=_READER_JS)

    def _build_talk(self, examples: Sequence[str]) -> None:
        _html(_MASTHEAD)
        self._shelf = _html(js=_TRANSCRIPT_JS, elem_id="shelf")
        # The exchange being written has a component of its own: the finished ones above it are
        # neither sent again nor touched while it grows.
        self._finished = _html(js=_TRANSCRIPT_JS, elem_id="finished")
        self._live = _html(js=_TRANSCRIPT_JS, elem_id="live")
        with gr.Column(elem_id="welcome") as self._welcome:
            self._examples = [gr.Button(example, size="sm") for example in examples]
        with gr.Column(elem_id="composer"):
            self._notice = _html(elem_id="notice")
            # Kept on the page and only ever changed in its text, or screen readers stay silent.
            self._status = _html(template='<p class="unseen" role="status">${value}</p>')
            with gr.Row(elem_id="ask-row"):
                self._build_composer()
            self._new = gr.Button("New conversation", elem_id="new", size="sm", visible=False)

    def _build_composer(self) -> None:
        # No max_length: the browser would cut a pasted question short without a word.
        self._box = gr.Textbox(
            label="Your question",
            show_label=False,
            container=False,
            placeholder="Ask about the articles",
            lines=1,
            max_lines=6,
            autofocus=True,
            elem_id="question",
            scale=1,
        )
        self._ask = gr.Button("Ask", variant="primary", interactive=False, elem_id="ask", scale=0)
        self._stop = gr.Button("Stop", visible=False, elem_id="stop", scale=0)

    def wire(self, page: gr.Blocks) -> None:
        quiet: _Quiet = {"show_progress": "hidden", "api_visibility": "private"}
        page.load(self.shelf, outputs=[self._shelf], **quiet)
        self._box.change(None, [self._box], [self._ask], js=_CAN_ASK, **quiet, queue=False)
        asking = [self._box, self._conversation]
        written = [
            self._box, self._notice, self._status, self._finished, self._live, self._conversation,
            self._welcome, self._ask, self._stop, self._new,
        ]  # fmt: skip
        gr.on([self._box.submit, self._ask.click], self.ask, asking, written, **quiet)
        for button in self._examples:
            button.click(self.ask, [button, self._conversation], written, **quiet)
        # Past the queue: a full one must not hold back Stop or a citation.
        self._stop.click(self.stop, None, None, js=_BACK_TO_BOX, queue=False, **quiet)
        self._new.click(self.new, None, [*written, self._reader], queue=False, **quiet)
        for component in (self._shelf, self._finished, self._live):
            component.open(self.open, None, [self._reader], queue=False, **quiet)

    def ask(self, question: str, conversation: Conversation, request: gr.Request) -> Iterator[Updates]:
        """Answer one question on the page; what is refused leaves the box as it was."""
        question = question.strip()
        refusal = _refusal(question)
        if refusal:
            yield {self._notice: render.notice_html(refusal)}
            return
        draft = Draft(question)
        yield self._asked(draft, conversation)
        writing = Writing(self._assistant, question, conversation.history())
        with self._desk.at_work(request.session_hash or "", writing):
            yield from self._write(draft, writing)
        exchange = draft.done or draft.broken_off(_STOPPED, keep=True)
        yield self._answered(exchange, conversation)

    def stop(self, request: gr.Request) -> None:
        self._desk.stop(request.session_hash or "")

    def new(self) -> Updates:
        return {
            self._conversation: Conversation(),
            self._notice: "",
            self._status: "",
            self._finished: "",
            self._live: "",
            self._reader: "",
            self._box: "",
            self._welcome: gr.update(visible=True),
            self._new: gr.update(visible=False),
        }

    def open(self, event: gr.EventData) -> str:
        """The article behind a citation, passage or title; the browser chose all three values."""
        target = _target(event._data)
        if target is None:
            return _panel(render.notice_html(_GONE))
        article_id, start, end = target
        try:
            article = self._assistant.article(article_id)
        except UnknownArticle:
            return _panel(render.notice_html(_GONE))
        except Exception as error:
            _log.exception("an article could not be opened")
            return _panel(render.notice_html(f"This article could not be opened: {_brief(error)}"))
        return _panel(render.article_html(article, start, end), article.title)

    def shelf(self) -> str:
        try:
            return render.shelf_html(list(self._assistant.articles()))
        except Exception as error:
            _log.exception("the articles could not be listed")
            return render.notice_html(f"The articles could not be listed: {_brief(error)}")

    def _write(self, draft: Draft, writing: Writing) -> Iterator[Updates]:
        try:
            for batch in writing.batches():
                for event in batch:
                    draft.add(event)
                if draft.done is None:
                    yield {self._live: draft.html()}
        except Exception as error:
            draft.done = draft.broken_off(_FAILED.format(error=_brief(error)), keep=False)
        if draft.done is None and not writing.stopped:
            draft.done = draft.broken_off(_CUT_SHORT, keep=False)

    def _asked(self, draft: Draft, conversation: Conversation) -> Updates:
        # The last answer stayed where it was written until now, so nothing moved under the reader.
        return {
            self._box: "",
            self._notice: "",
            self._status: _LOOKING,
            self._finished: conversation.html(),
            self._live: draft.html(),
            self._welcome: gr.update(visible=False),
            self._ask: gr.update(visible=False),
            self._stop: gr.update(visible=True),
            self._new: gr.update(visible=False),
        }

    def _answered(self, exchange: Exchange, conversation: Conversation) -> Updates:
        return {
            self._live: exchange.html,
            self._status: render.plain_html(exchange.outcome),
            self._conversation: conversation.with_exchange(exchange),
            self._ask: gr.update(visible=True),
            self._stop: gr.update(visible=False),
            self._new: gr.update(visible=True),
        }


# Stop vanishes under the keyboard's focus; on a phone, focusing the box would raise the keyboard.
_BACK_TO_BOX = """() => {
  if (matchMedia("(hover: hover)").matches) document.querySelector("#question textarea")?.focus();
  return [];
}"""
_CAN_ASK = "(text) => ({ __type__: 'update', interactive: text.trim().length > 0 })"


def _html(
    value: str = "",
    *,
    js: str | None = None,
    elem_id: str | None = None,
    template: str = "${value}",
) -> gr.HTML:
    # The value goes in as ${value}, which Gradio inserts last and as it is. Through Handlebars
    # ({{{value}}}) a ${…} found inside an article would run as JavaScript.
    return gr.HTML(
        value,
        html_template=template,
        js_on_load=js,
        elem_id=elem_id,
        apply_default_css=False,
    )


def _panel(body: str, title: str = "") -> str:
    return render.panel_html(title, body, time.monotonic_ns())


def _refusal(question: str) -> str:
    if not question:
        return _EMPTY
    if len(question) > MAX_QUESTION:
        return _TOO_LONG.format(length=len(question), limit=MAX_QUESTION)
    return ""


def _brief(error: Exception) -> str:
    return str(error) if isinstance(error, DatelineError) else f"{type(error).__name__} (the log has more)."


def _target(data: object) -> tuple[str, int, int] | None:
    match data:
        case {"article": str(article), "start": int(start), "end": int(end)}:
            return article, start, end
        case _:
            return None
