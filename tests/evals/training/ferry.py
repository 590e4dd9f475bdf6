"""A small cluster in the format of the corpus: two articles, and a question of each make that matters."""

from __future__ import annotations

NAME = "ferry"
BEGIN = {"a1": "Ferry crews on the Lorne coast stopped work on Tuesday morning.",
         "a2": "Nobody crossed the Lorne estuary that day, and the ferries stayed in the harbour of Marl.",
         "b1": "The strike of the ferry crews has cost the island of Tevay its visitors."}  # fmt: skip

_HEAD = f"""# Ferry strike on the Lorne coast

## a | Ferry crews walk out in Lorne | Lorne Courier | Ines Okafor | 2023-05-02 | report
a1 {BEGIN["a1"]}
a2 {BEGIN["a2"]}
a3 "We have asked for eighteen months," said Pilar Venn, who speaks for the crews.

a4 The company, Brightwater Lines, says it offered a rise of 4 per cent in April.
a5 A goat was seen on the pier.

## b | Islanders count the days | Tevay Herald | | 2023-05-09 | report
b1 {BEGIN["b1"]}
b2 Brightwater Lines now offers a rise of 7 per cent.
b3 Rain is expected at the weekend.
"""

_STOPPED = """
? q{n:02} fact
Q When did the ferry crews stop work?
K when the ferry crews stopped work
A The ferry crews on the Lorne coast stopped work on Tuesday, 2 May 2023. [a1]
F no other-date | The ferry crews stopped work in April. [a4]
"""

# The same question many times: for which of them a reading without the answer is made is drawn by its id.
_QUESTIONS = "".join(_STOPPED.format(n=n) for n in range(1, 9)) + """
? q20 followup
H Who speaks for the crews? | Pilar Venn speaks for the crews.
Q What did she ask for?
S What did Pilar Venn, who speaks for the ferry crews, ask for?
K what Pilar Venn asked for
A The articles do not say what Pilar Venn asked for.
A They say only that the crews asked for eighteen months. [a3]
F partly invented | Pilar Venn said that the crews had asked for a rise for eighteen months. [a3]

? q21 partly
D 2023-05-10
Q How large a rise does Brightwater Lines offer, and from when?
K how large a rise Brightwater Lines offers
A Brightwater Lines offered 4 per cent in April and offers 7 per cent now. [a4][b2]
A The articles do not say from when the rise would be paid.
F beside other | A goat was seen on the pier. [a5]

? q22 contrast
Q What rise did Brightwater Lines offer, and what does it offer now?
K what rise Brightwater Lines offers
A It said that it had offered 4 per cent in April. [a4]
A It now offers 7 per cent. [b2]
F no other-number | It offers 9 per cent. [b2]

= update a4 b2 | How large a rise does Brightwater Lines offer?
"""  # fmt: skip

CLUSTER = _HEAD + _QUESTIONS
