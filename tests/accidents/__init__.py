"""Accidents: real processes against a scripted server, every event accounted for."""
