"""What a frame costs when the state is carried, beside re-running a window."""
