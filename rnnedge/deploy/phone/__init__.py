"""A bundle onto phones: as a static site for their browsers, and as an Android app."""
