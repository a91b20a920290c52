"""`antinode doctor --migrate`: what to change in code that uses another SDK, found without running any."""
