"""`antinode codegen`: from a plan to a module of typed events."""
