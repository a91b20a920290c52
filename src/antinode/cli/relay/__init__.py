"""`antinode relay`."""
