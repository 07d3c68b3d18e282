"""Sound and pictures from files."""
