"""What the runner costs beside the bare interpreter, how late it is, and whether it stays as it is for long."""
