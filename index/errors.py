"""Every error that Dateline raises on purpose, as one tree:

DatelineError            catch this one; its text is meant for a person and names the remedy
├── ConfigError          a setting that can't be used
├── ReadError            a file, folder or row that can't be read as an article
├── StoreError           the data directory can't be used
│   ├── EmbedderMismatch     the index was made by another embedder
│   ├── Busy                 another process is writing
│   └── DiskFull             too little space to go on safely
├── UnknownArticle       no article of that id
├── QuestionError        a question that can't be asked (empty, too long)
├── PromptError          a template with a missing or an extra placeholder
├── ModelError           the model file or its server can't be used
└── GoldError            a row of gold questions that can't be used
"""

from __future__ import annotations


class DatelineError(Exception):
    """The root. `str(error)` is one message for a person: what, where, which value, what to do."""


class ConfigError(DatelineError):
    """A setting that can't be used."""


class ReadError(DatelineError):
    """A file, folder or row that can't be read as an article."""


class StoreError(DatelineError):
    """The data directory can't be used."""


class EmbedderMismatch(StoreError):
    """The index was made by another embedder, so its vectors can't be compared with a question's."""


class Busy(StoreError):
    """Another process is writing to the same data directory."""


class DiskFull(StoreError):
    """Too little space to go on safely."""


class UnknownArticle(DatelineError):
    """No article of that id."""


class QuestionError(DatelineError):
    """A question that can't be asked."""


class PromptError(DatelineError):
    """A template with a missing or an extra placeholder."""


class ModelError(DatelineError):
    """The model file, its server or the endpoint can't be used."""


class GoldError(DatelineError):
    """A row of gold questions that can't be used."""
