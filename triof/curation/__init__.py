"""Building and correcting data sets: collect, check, split, label, copy from the journal; reading is in datasets."""
