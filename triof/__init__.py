"""Triof, the machine that sorts plastic for 3D-printer filament by looking at it."""

__version__ = "0.1.0"
