"""Collects photos for a label: search a source, download, check and store with author and licence."""
