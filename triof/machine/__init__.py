"""Cameras and hardware: the slot with its interlocks; the deposits decide when to use them."""
