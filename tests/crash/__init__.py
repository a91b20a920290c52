"""Processes that share a spool are killed at random moments; nothing that was logged may be missing."""
