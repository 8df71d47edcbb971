"""The services around the sorter, and the use cases: one function each, called by CLI and web."""
