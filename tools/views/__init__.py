"""Random pictures of items in machines, for training."""
