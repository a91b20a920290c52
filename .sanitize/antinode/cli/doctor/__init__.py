"""`antinode doctor`: whether a set-up can deliver events, and what to do where it cannot."""
