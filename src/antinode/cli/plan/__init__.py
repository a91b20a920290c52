"""`antinode plan`: a tracking plan inferred, compared with events and with another, and shown."""
