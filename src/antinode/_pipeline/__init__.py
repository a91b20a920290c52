"""What a call to log an event goes through on the caller's thread, up to the event's final bytes."""
