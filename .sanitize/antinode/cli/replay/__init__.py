"""`antinode replay`: sends dead letters again."""
