"""Local models on this machine: storage, acceptance tests, activation, benchmarks; rollout is above."""
