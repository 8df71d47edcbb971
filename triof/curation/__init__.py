"""Building and mending data sets: collect, check, split, label, copy from the journal; reading them is datasets."""
