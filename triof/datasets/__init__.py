"""Labelled photos, read from manifests and folders, with people's corrections; building sets is curation."""
