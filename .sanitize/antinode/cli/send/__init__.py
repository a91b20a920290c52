"""`antinode send`: one event, and what becomes of it."""
