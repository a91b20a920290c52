"""`antinode spool`: looks into the directory that `storage=` names, and empties it."""
