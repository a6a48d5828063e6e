"""A bundle onto devices over ssh: one, or a fleet side by side."""
