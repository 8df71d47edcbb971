"""Code without knowledge of the other rooms: errors, files, processes, threads; no setting and no table."""
