"""What Triof shows over HTTP: the touchscreen's pages, and whether it is alive."""
