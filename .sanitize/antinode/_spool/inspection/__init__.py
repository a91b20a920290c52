"""Looking into a spool from outside."""
