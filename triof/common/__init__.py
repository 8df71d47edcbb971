"""What any room may use and that knows none of them: errors, files, processes, threads; no setting and no table."""
