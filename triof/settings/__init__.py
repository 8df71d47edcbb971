"""What can be set, with defaults and checks, and how it is read; what is done with a setting belongs to its feature."""
