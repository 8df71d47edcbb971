"""The tour for the eyes: takes every state of every page, and checks each; ``make screens``."""
