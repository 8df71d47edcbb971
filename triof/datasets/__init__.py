"""Labelled photos from manifests and folders, with corrections; building data sets is in curation."""
