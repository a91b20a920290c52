"""The applications that have the accidents: each a small script, run in a process of its own."""
