"""Evaluation of providers on labelled photos, and of the machine's verdicts; pages are in reporting."""
