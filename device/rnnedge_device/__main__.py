"""`python -m rnnedge_device`: the same as `rnnedge-run`."""

from rnnedge_device.cli import main

main()
