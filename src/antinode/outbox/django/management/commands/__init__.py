"""`manage.py antinode_outbox`."""
