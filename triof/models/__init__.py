"""Local models on this machine: stored, tried, activated, measured; installing and comparing them stand above."""
