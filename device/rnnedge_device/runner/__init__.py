"""What is left running: cameras from a config, their threads, health, status and controls."""
