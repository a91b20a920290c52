"""An event becomes its final bytes."""
