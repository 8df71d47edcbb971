"""``python -m triof.cli``."""

from triof.cli import main

main(prog_name="triof")
