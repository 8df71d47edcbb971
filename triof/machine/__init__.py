"""Cameras and hardware: the slot with its interlocks; when they are used is decided by the deposits."""
