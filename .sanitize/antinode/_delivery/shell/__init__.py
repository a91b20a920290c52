"""The threads that drive the core."""
