"""`antinode serve`: the local Amplitude in a terminal."""
