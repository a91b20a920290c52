"""Forgetting users: in the queue, in the spool, in dead letters, and at Amplitude."""
