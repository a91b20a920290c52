"""Delivery: the pure core, the shell that drives it, and the transport."""
