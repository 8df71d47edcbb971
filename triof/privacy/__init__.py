"""What is held of people: shown, exported and erased; the notice at the touchscreen is in ``web``."""
