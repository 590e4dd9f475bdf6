"""The training corpus: clusters of articles with questions, answers, foils and pairs (``corpus/README.md``)."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
KINDS = (
    "fact", "number", "date", "said", "list", "why", "contrast", "yesno", "followup",
    "latest", "most", "nearly", "trap", "premise", "partly", "open", "orders",
)  # fmt: skip
RELATIONS = ("contradict", "update", "agree", "apart")
VERDICTS = ("no", "partly", "beside")
NOT_THERE = "The articles do not say"

_CITED = re.compile(r"\s*\[([a-z]\d+(?:\s*,\s*[a-z]\d+)*)\]\s*$")
_AGREED = re.compile(r"^# agreed (\d+) of (\d+)\b", re.MULTILINE)


class CorpusError(ValueError):
    """A cluster that does not follow the format; the message names the file, the line and what to change."""


@dataclass(frozen=True)
class Written:
    """One sentence of an answer and the ids of the sentences it rests on."""

    text: str
    cites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Foil:
    """A wrong answer: how far its sentences carry it (`no`, `partly`, `beside`), and what kind of mistake it is."""

    verdict: str
    kind: str
    said: Written


@dataclass(frozen=True)
class Question:
    """A question with its gold answer. `asks` fits into "The articles do not say …"; `day` is when it is asked."""

    id: str
    kind: str
    text: str
    asks: str
    answer: tuple[Written, ...]
    foils: tuple[Foil, ...]
    history: tuple[tuple[str, str], ...] = ()
    standalone: str = ""
    day: str = ""

    @property
    def answerable(self) -> bool:
        """Whether the articles hold at least a part of the answer."""
        return not self.answer[0].text.startswith(NOT_THERE)

    @property
    def gold(self) -> frozenset[str]:
        """The ids of all sentences that the answer rests on."""
        return frozenset(cite for written in self.answer for cite in written.cites)


@dataclass(frozen=True)
class Pair:
    """Two sentences of different articles, a question that both bear on, and how they relate to each other."""

    relation: str
    first: str
    second: str
    question: str


@dataclass(frozen=True)
class Told:
    """An article of a cluster: its paragraphs hold (sentence id, text)."""

    letter: str
    title: str
    source: str
    author: str
    date: str
    genre: str
    paragraphs: tuple[tuple[tuple[str, str], ...], ...]

    @property
    def text(self) -> str:
        """The article as a file would hold it: paragraphs apart by an empty line."""
        return "\n\n".join(" ".join(text for _, text in paragraph) for paragraph in self.paragraphs)


@dataclass(frozen=True)
class Cluster:
    """One file: articles on one subject, and what is asked about them."""

    name: str
    subject: str
    articles: tuple[Told, ...]
    questions: tuple[Question, ...]
    pairs: tuple[Pair, ...]
    sentences: dict[str, str] = field(repr=False)


class _Reader:
    """Reads one file, line by line; every complaint names the line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = path.read_text(encoding="utf-8").split("\n")
        self._at = 0
        self._taken = 0  # the number of the line that was taken last, from 1
        self.sentences: dict[str, str] = {}

    def fail(self, problem: str) -> CorpusError:
        return CorpusError(f"{self._path.name}, line {self._taken}: {problem}")

    def peek(self) -> str:
        """The next line that is not empty, or "" at the end."""
        while self._at < len(self._lines) and not self._lines[self._at].strip():
            self._at += 1
        return self._lines[self._at].strip() if self._at < len(self._lines) else ""

    def take(self) -> str:
        line = self.peek()
        self._at += 1
        self._taken = self._at
        return line

    def article(self) -> Told:
        head = [part.strip() for part in self.take()[2:].split("|")]
        if len(head) != 6:
            raise self.fail("an article needs `## letter | title | source | author | date | genre`")
        letter = head[0]
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", head[4]):
            raise self.fail(f"the date {head[4]!r} is not of the form 2023-05-02")
        paragraphs: list[list[tuple[str, str]]] = [[]]
        while self._at < len(self._lines):
            line = self._lines[self._at].strip()
            if line.startswith(("#", "?", "=")):
                break
            self._at += 1
            self._taken = self._at
            if not line:
                paragraphs.append([])
                continue
            name, _, text = line.partition(" ")
            if name != f"{letter}{sum(map(len, paragraphs)) + 1}":
                raise self.fail(f"expected the sentence {letter}{sum(map(len, paragraphs)) + 1}, found {name!r}")
            paragraphs[-1].append((name, text.strip()))
            self.sentences[name] = text.strip()
        kept = tuple(tuple(paragraph) for paragraph in paragraphs if paragraph)
        return Told(letter, head[1], head[2], head[3], head[4], head[5], kept)

    def written(self, text: str) -> Written:
        cites: list[str] = []
        while found := _CITED.search(text):
            cites = [*(each.strip() for each in found[1].split(",")), *cites]
            text = text[: found.start()]
        if missing := [cite for cite in cites if cite not in self.sentences]:
            raise self.fail(f"there is no sentence {', '.join(missing)}")
        return Written(text.strip(), tuple(dict.fromkeys(cites)))

    def question(self) -> Question:
        head = self.take().split()
        if len(head) != 3 or head[2] not in KINDS:
            raise self.fail(f"a question begins with `? id kind`; the kinds are {', '.join(KINDS)}")
        parts: dict[str, list[str]] = {}
        while (line := self.peek())[:2] in {"H ", "D ", "Q ", "S ", "K ", "A ", "F "}:
            parts.setdefault(line[0], []).append(self.take()[2:].strip())
        for needed in "QKAF":
            if needed not in parts:
                raise self.fail(f"{head[1]} has no line `{needed}`")
        answer = tuple(self._answer(head[1], place, text) for place, text in enumerate(parts["A"]))
        foils = tuple(self._foil(head[1], text) for text in parts["F"])
        history = tuple(self._turn(head[1], text) for text in parts.get("H", []))
        if bool(history) != ("S" in parts):
            raise self.fail(f"{head[1]}: a question has both `H` and `S` or neither")
        if parts["K"][0].endswith("."):
            raise self.fail(f"{head[1]}: `K` is a clause without a full stop")
        return Question(
            id=head[1], kind=head[2], text=parts["Q"][0], asks=parts["K"][0], answer=answer, foils=foils,
            history=history, standalone=parts.get("S", [""])[0], day=parts.get("D", [""])[0],
        )  # fmt: skip

    def _answer(self, name: str, place: int, text: str) -> Written:
        written = self.written(text)
        if not written.cites and not written.text.startswith(NOT_THERE):
            raise self.fail(f"{name}: `A {written.text[:40]}…` rests on no sentence")
        if written.cites and place == 0 and written.text.startswith(NOT_THERE):
            raise self.fail(
                f"{name}: `{NOT_THERE} …` rests on no sentence; put what they do say into a line of its own"
            )
        return written

    def _foil(self, name: str, text: str) -> Foil:
        label, _, said = text.partition("|")
        words = label.split()
        if len(words) != 2 or words[0] not in VERDICTS:
            raise self.fail(f"{name}: a foil is `F verdict kind | text [ids]`; the verdicts are {', '.join(VERDICTS)}")
        return Foil(words[0], words[1], self.written(said.strip()))

    def _turn(self, name: str, text: str) -> tuple[str, str]:
        asked, _, answered = text.partition("|")
        if not answered.strip():
            raise self.fail(f"{name}: an earlier turn is `H question | answer`")
        return asked.strip(), answered.strip()

    def pair(self) -> Pair:
        label, _, question = self.take()[1:].partition("|")
        words = label.split()
        if len(words) != 3 or words[0] not in RELATIONS or not question.strip():
            raise self.fail(f"a pair is `= relation id id | question`; the relations are {', '.join(RELATIONS)}")
        if missing := [name for name in words[1:] if name not in self.sentences]:
            raise self.fail(f"there is no sentence {', '.join(missing)}")
        if words[1][0] == words[2][0]:
            raise self.fail("a pair takes its sentences from different articles")
        return Pair(words[0], words[1], words[2], question.strip())


def read(path: Path) -> Cluster:
    """A cluster from its file; `CorpusError` names the line that does not follow the format."""
    reader = _Reader(path)
    subject = reader.take()
    if not subject.startswith("# "):
        raise reader.fail("the first line is `# subject`")
    articles: list[Told] = []
    questions: list[Question] = []
    pairs: list[Pair] = []
    while line := reader.peek():
        if line.startswith("## "):
            articles.append(reader.article())
        elif line.startswith("? "):
            questions.append(reader.question())
        elif line.startswith("= "):
            pairs.append(reader.pair())
        else:
            reader.take()
            raise reader.fail(f"a line begins with ##, ?, = or belongs to one of them; found {line[:40]!r}")
    names = [question.id for question in questions]
    if doubled := [name for name, times in Counter(names).items() if times > 1]:
        raise CorpusError(f"{path.name}: the ids {', '.join(doubled)} stand for two questions")
    return Cluster(path.stem, subject[2:], tuple(articles), tuple(questions), tuple(pairs), reader.sentences)


def clusters(folder: Path = FOLDER) -> Iterator[Cluster]:
    """All clusters of the corpus, by name."""
    for path in sorted(folder.glob("*.txt")):
        yield read(path)


def summaries(cluster: Cluster, folder: Path = FOLDER) -> dict[str, tuple[Written, ...]]:
    """The summary of each article of a cluster by its letter, and of all of them under `*`; empty if there is none."""
    path = folder / "summaries" / f"{cluster.name}.txt"
    told: dict[str, list[Written]] = {}
    if not path.exists():
        return {}
    reader = _Reader(path)
    reader.sentences = cluster.sentences
    letter = ""
    while line := reader.peek():
        line = reader.take()
        if line.startswith("= "):
            letter = line[2:].strip()
        elif line.startswith("A "):
            told.setdefault(letter, []).append(reader.written(line[2:]))
        else:
            raise reader.fail("a line begins with `= letter` or `A sentence [ids]`")
    return {letter: tuple(lines) for letter, lines in told.items()}


def blind(cluster: Cluster, folder: Path = FOLDER) -> dict[str, tuple[str, ...]]:
    """The ids that somebody who had not seen the answers answered each question from."""
    path = folder / "blind" / f"{cluster.name}.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [[part.strip() for part in line.split("|")] for line in lines if not line.startswith("#")]
    return {
        row[0]: tuple(each for each in row[-1].replace(",", " ").split() if each in cluster.sentences) for row in rows
    }


def agreement(folder: Path = FOLDER) -> tuple[int, int]:
    """On how many questions those who answered blind agreed with the corpus, and how many they answered.

    Raises:
        CorpusError: a file of blind answers does not say it, or says it more than once.
    """
    agreed = asked = 0
    for path in sorted((folder / "blind").glob("*.txt")):
        told = _AGREED.findall(path.read_text(encoding="utf-8"))
        if len(told) != 1 or int(told[0][0]) > int(told[0][1]):
            raise CorpusError(f"{path.name}: write one line `# agreed N of M`, N at most M")
        agreed, asked = agreed + int(told[0][0]), asked + int(told[0][1])
    return agreed, asked


def _check(paths: list[Path]) -> int:
    failed = 0
    for path in paths:
        try:
            cluster = read(path)
        except CorpusError as problem:
            print(problem)
            failed = 1
            continue
        kinds = Counter(question.kind for question in cluster.questions)
        words = [len(article.text.split()) for article in cluster.articles]
        print(
            f"{path.name}: {len(words)} articles of {min(words)} to {max(words)} words, "
            f"{len(cluster.questions)} questions, {len(cluster.pairs)} pairs"
        )
        print("  " + ", ".join(f"{kind} {kinds[kind]}" for kind in KINDS))
    return failed


def _blind(paths: list[Path]) -> int:
    """Prints articles and questions without answers, for someone who answers them without having seen those."""
    for path in paths:
        cluster = read(path)
        print(f"# {cluster.name}: {cluster.subject}")
        for article in cluster.articles:
            head = (article.letter, article.title, article.source, article.author, article.date, article.genre)
            print(f"\n## {' | '.join(head)}")
            for paragraph in article.paragraphs:
                print("\n".join(f"{name} {text}" for name, text in paragraph) + "\n")
        for question in cluster.questions:
            print(f"? {question.id}")
            for asked, answered in question.history:
                print(f"H {asked} | {answered}")
            if question.day:
                print(f"D {question.day}")
            print(f"Q {question.text}")
        print()
    return 0


def _agreement(paths: list[Path]) -> int:
    """Prints how often those who answered blind agreed; of all files, whichever are named."""
    agreed, asked = agreement()
    print(f"agreed {agreed} of {asked} ({agreed / asked:.1%})")
    return 0


if __name__ == "__main__":
    verb, *files = sys.argv[1:]
    verbs = {"check": _check, "blind": _blind, "agreement": _agreement}
    sys.exit(verbs[verb]([Path(file) for file in files]))
