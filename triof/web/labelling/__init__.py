"""The page on which a person confirms or changes labels; what it decides is in curation."""
