"""Photos from elsewhere for a label: ask a source, fetch, check and keep them with author and licence."""
