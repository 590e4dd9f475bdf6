"""An optional judge: an LLM that compares an answer with gold. Never part of a gate, and named in every record.

What the judge does not say in the one form that it is asked for is unscored, never guessed at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import prompts
from evals.gold import GoldQuestion
from prompts import Write, render

_TOKENS = 80  # a short reason and a verdict
_MOST_CHARACTERS = 2_000  # of an answer or a reference; more would crowd out the rules
_VERDICT = re.compile(r"^Verdict:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_REASON = re.compile(r"^Reason:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_SAYS = {"right": True, "wrong": False, "can't tell": None}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an answer is right; None where the judge could not tell, or said nothing that can be read."""

    right: bool | None
    reason: str


@dataclass(frozen=True)
class Judge:
    """An LLM that judges answers.

    `write` gets the messages and the most tokens to write, and returns what the model wrote; for judging it should
    write without chance. `name` is the model's, for the record.
    """

    write: Write
    name: str

    @property
    def prompt_version(self) -> str:
        """Twelve hexadecimal digits that change with any word of the judge's prompt."""
        return prompts.versions()["judge"]

    def judge(self, question: GoldQuestion, answer: str) -> Verdict:
        """Whether `answer` says what the gold says; without a call, and unscored, where the gold says nothing.

        Raises:
            ModelError: the model can't be used.
        """
        accepted = _accepted(question)
        if not accepted:
            return Verdict(None, "the question has no gold answer to compare with")
        asked = question.standalone or question.question
        prompt = render("judge", question=_line(asked), accepted=accepted, answer=_line(answer))
        return _read(self.write(prompt, _TOKENS))


def _accepted(question: GoldQuestion) -> str:
    """What a right answer says, a line each; a line holds no line breaks, so gold can't speak as the prompt."""
    lines: list[str] = []
    if question.answers:
        lines.append("A right answer says one of: " + " | ".join(map(_line, question.answers)))
    if question.must:
        groups = (" | ".join(map(_line, group)) for group in question.must)
        lines.append("A right answer says all of: " + "; ".join(groups))
    if question.reference:
        lines.append("A right answer, in full: " + _line(question.reference))
    return "\n".join(lines)


def _read(written: str) -> Verdict:
    verdicts, reasons = _VERDICT.findall(written), _REASON.findall(written)
    if len(verdicts) != 1 or verdicts[0] not in _SAYS:
        return Verdict(None, f"no verdict can be read from {_line(written)[:200]!r}")
    return Verdict(_SAYS[verdicts[0]], reasons[0] if reasons else "")


def _line(text: str) -> str:
    return " ".join(text.split())[:_MOST_CHARACTERS]
