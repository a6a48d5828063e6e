"""``python -m rnnedge``."""

from rnnedge.cli import main

main(prog_name="rnnedge")
