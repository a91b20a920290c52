"""`antinode tail`: the events of a local Amplitude as they arrive, in the terminal."""
