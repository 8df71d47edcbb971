"""Commands that measure providers on labelled photos."""
