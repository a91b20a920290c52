"""What an upload says and what it is answered: parsing, checks, limits, responses."""
