"""What the page shows of an answer that is still being written."""

from __future__ import annotations

from rag.assistant import EvidenceFound, ReadOn, TextAdded
from tests.rag.making import article, sentence
from ui.web import Draft

PORT = article("port", "It opened in 2007.", "It has cranes.")
TRAIN = article("train", "Trains are late.")
FIRST = (sentence(PORT, 0, 2.0, 1), sentence(PORT, 1, 1.0, 2))
THEN = (sentence(TRAIN, 0, 0.0, 1),)


def test_where_it_is_read_on_the_text_begins_anew_and_its_markers_point_at_what_is_read_now() -> None:
    draft = Draft("When?")
    draft.add(EvidenceFound(FIRST, 1.0))
    draft.add(TextAdded("It opened [1]."))
    assert 'data-article="port"' in draft.html().partition("aria-busy")[2].partition("</div>")[0]
    draft.add(ReadOn(THEN))
    assert "It opened [1]." not in draft.html()
    draft.add(TextAdded("Trains were late [1]."))
    written = draft.html().partition("aria-busy")[2].partition("</div>")[0]
    assert "Trains were late" in written
    assert 'data-article="train"' in written
    assert 'data-article="port"' not in written
