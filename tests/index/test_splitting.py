from __future__ import annotations

import random

import pytest

from index.article import Article, Pieces
from index.embedding import CHUNK_PIECES, Embedder
from index.splitting import split, split_sentences

WINDOW = 256  # word pieces that all-MiniLM-L6-v2 reads, its two special ones included

SENTENCE = "The delegation met officials in Islamabad on Tuesday and signed three agreements about trade and transit."
HOSTILE = {
    "plain": " ".join([SENTENCE] * 60),
    "lines": "\n".join([SENTENCE, "", "Short.", "x"] * 20),
    "no spaces": "abcdefghi-" * 300,
    "no spaces, one word": "a" * 3_000,
    "no spaces, commas": "a," * 1_500,
    "emoji": "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467" * 500,
    "chinese": "国务院总理在北京会见了巴基斯坦代表团。" * 60,
    "chinese, no stops": "国务院总理在北京会见" * 100,
    "zero width": "Word\u200b by\u200d word\ufeff. " * 200,
    "only zero width": "\u200b" * 3_000,
    "digits": "1234567890" * 300,
    "combining": "e\u0301\u0323" * 1_000,
    "abbreviations": "Gen. " * 400,
    "mixed": "Ünïcode—“quotes” ‘n’ dashes… " * 150 + "\U0001f600" * 300 + "\u2028" + SENTENCE * 20,
    "crlf": f"{SENTENCE}\r\n{SENTENCE}\r{SENTENCE}" * 20,
    "arabic": "اجتمع الوفد مع المسؤولين في إسلام آباد. " * 60,
}
TITLES = {"short": "Talks", "none": "", "long": "A very long title, " * 100, "dense": "国" * 2_000, "word": "t" * 2_000}


def pieces_read(embedder: Embedder, title: str, body: str) -> int:
    """What the model's own tokenizer makes of a chunk, cut nowhere."""
    return len(embedder._counter.encode(embedder.header(title) + body, add_special_tokens=True).ids)


def cut(text: str, embedder: Embedder, title: str = "Talks") -> Pieces:
    return split(Article("a", title, text), embedder, CHUNK_PIECES)


def check(pieces: Pieces, embedder: Embedder) -> None:
    """Everything that must hold for any text."""
    text = pieces.article.text
    end = 0
    for span in pieces.sentences:
        assert span.start >= end, "sentences overlap or are out of order"
        assert span.end > span.start
        between, inside = text[end : span.start], text[span.start : span.end]
        assert not between.strip(), f"text outside every sentence: {between!r}"
        assert inside == inside.strip()
        end = span.end
    assert not text[end:].strip()
    covered = [n for chunk in pieces.chunks for n in range(chunk.first, chunk.last + 1)]
    assert covered == list(range(len(pieces.sentences)))
    for chunk in pieces.chunks:
        assert (chunk.start, chunk.end) == (pieces.sentences[chunk.first].start, pieces.sentences[chunk.last].end)
        assert pieces_read(embedder, pieces.article.title, text[chunk.start : chunk.end]) <= WINDOW


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_every_chunk_fits_the_embedder_and_every_sentence_is_in_one_chunk(embedder: Embedder, text: str) -> None:
    check(cut(text, embedder), embedder)


@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES.keys())
def test_no_title_makes_a_chunk_too_long(embedder: Embedder, title: str) -> None:
    check(cut(HOSTILE["plain"] + HOSTILE["chinese"], embedder, title), embedder)


@pytest.mark.parametrize("seed", [*range(8), 18, 20, 35, 39])
def test_random_mixtures_of_scripts_and_stops_fit_too(embedder: Embedder, seed: int) -> None:
    rng = random.Random(seed)
    bits = [
        "word ",
        "a",
        ".",
        ". ",
        "\n",
        "\r\n",
        " ",
        "国",
        "\U0001f600",
        "\u200b",
        "-",
        "supercalifragilistic",
        "Dr. ",
        "The rare ",
        "x" * 120,
        "ß",
        "\u0301",
        "’",
        "[3] ",
        "\u2028",
        "\t",
        "U.S. ",
        "3,000.5 ",
    ]
    text = "x" + "".join(rng.choice(bits) * rng.choice([1, 1, 2, 40]) for _ in range(300))
    check(cut(text, embedder, rng.choice(list(TITLES.values()))), embedder)


def test_the_header_of_a_long_title_leaves_most_of_the_window_to_the_text(embedder: Embedder) -> None:
    assert len(embedder.piece_offsets(embedder.header("A very long title, " * 100))) <= 40
    assert embedder.header("Talks") == "Talks\n"


def test_a_short_article_is_one_chunk(embedder: Embedder) -> None:
    assert len(cut("One thing. Another thing.", embedder).chunks) == 1


def test_chunks_of_one_article_are_of_even_size(embedder: Embedder) -> None:
    pieces = cut(" ".join([SENTENCE] * 25), embedder)
    sizes = [chunk.last - chunk.first + 1 for chunk in pieces.chunks]
    assert len(sizes) > 1
    assert max(sizes) - min(sizes) <= 3, sizes


def test_a_long_sentence_is_cut_at_spaces(embedder: Embedder) -> None:
    text = "word and " * 400
    pieces = cut(text, embedder)
    assert len(pieces.sentences) > 1
    assert {text[s.start : s.end].split(" ")[0] for s in pieces.sentences} <= {"word", "and"}


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("He came. She left.", ["He came.", "She left."]),
        ("They held a conference.The rare meeting ended.", ["They held a conference.", "The rare meeting ended."]),
        ("He said “enough.”The rare meeting ended.", ["He said “enough.”", "The rare meeting ended."]),
        ("Is it over?The rare meeting ended.", ["Is it over?", "The rare meeting ended."]),
        ("It was Gen. Mirza who spoke.", ["It was Gen. Mirza who spoke."]),
        ("All U.S. troops left. They flew.", ["All U.S. troops left.", "They flew."]),
        ("He saw Dr. Iqbal there. He waved.", ["He saw Dr. Iqbal there.", "He waved."]),
        ("Then Lt. Col. Khan rose. All rose.", ["Then Lt. Col. Khan rose.", "All rose."]),
        ("It costs 3.5 million. Node.js is free.", ["It costs 3.5 million.", "Node.js is free."]),
        ("The U.S.A wrote Node.js code.", ["The U.S.A wrote Node.js code."]),
        ("He asked and she said no. The minister left.", ["He asked and she said no.", "The minister left."]),
        ("A headline\nA line. Another\n\nThe end", ["A headline", "A line.", "Another", "The end"]),
        ("One\r\nTwo\u2028Three\u2029Four", ["One", "Two", "Three", "Four"]),
        ("  indented.  \n", ["indented."]),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_where_sentences_end(text: str, sentences: list[str]) -> None:
    assert [text[span.start : span.end] for span in split_sentences(text)] == sentences


@pytest.mark.parametrize("unit", ["item one hundred, ", "北京今天举行会议", "abcdefghij", "a.b.c. "])
def test_the_work_grows_with_the_length_of_a_line_and_not_with_its_square(embedder: Embedder, unit: str) -> None:
    class Counting:
        max_pieces = embedder.max_pieces
        header = staticmethod(embedder.header)
        counted = 0

        def piece_offsets(self, text: str) -> list[tuple[int, int]]:
            self.counted += len(text)
            return embedder.piece_offsets(text)

    def work(length: int) -> float:
        counter = Counting()
        text = (unit * length)[:length]
        pieces = split(Article("a", "T", text), counter, CHUNK_PIECES)
        assert all(len(embedder.piece_offsets(text[c.start : c.end])) <= CHUNK_PIECES for c in pieces.chunks)
        return counter.counted / length

    assert work(40_000) < 1.2 * work(20_000)
