"""`antinode import`: history into Amplitude, from a terminal."""
