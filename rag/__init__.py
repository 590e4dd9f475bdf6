"""A question → an answer whose every sentence points at the sentences it rests on."""
