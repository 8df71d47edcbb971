"""The settings: names, defaults, checks and loading; features act on them elsewhere."""
