"""The cameras, one module per kind; the code that judges their pictures is in ``judging``."""
