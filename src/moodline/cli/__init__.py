"""The command line. ``app.py`` names the commands; the work is in the modules they call, imported when needed."""
