"""What is measured, one module each: `run` measures, `SECTIONS` says how its table reads."""
