"""Building and mending sets of labelled photos."""
