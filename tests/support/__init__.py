"""What several test modules share: machines, visitors, clocks, servers and files; no tests."""
