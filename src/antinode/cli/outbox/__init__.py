"""`antinode outbox`."""
