"""What the local Amplitude keeps, in SQLite."""
