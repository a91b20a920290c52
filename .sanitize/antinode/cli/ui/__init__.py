"""What commands show, and how they are interrupted."""
