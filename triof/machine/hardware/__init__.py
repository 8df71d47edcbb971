"""Drivers of the machine's motors and sensors; what is safe is decided in ``triof/machine/slot.py``."""
