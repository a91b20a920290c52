"""`antinode validate`: what Amplitude would object to in files of events, before it does."""
