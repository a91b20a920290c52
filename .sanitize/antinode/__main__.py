"""`python -m antinode`: the `antinode` command."""

from antinode.cli import main

if __name__ == "__main__":
    main()
