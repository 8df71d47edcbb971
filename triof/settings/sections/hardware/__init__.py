"""Settings of the drivers in ``triof/machine/hardware``, one module each."""
