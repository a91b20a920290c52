"""`antinode forget`."""
