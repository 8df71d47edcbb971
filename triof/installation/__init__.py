"""Installation on a computer: systemd units, the touchscreen's browser, the first run; the server needs none of it."""
