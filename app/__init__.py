"""The application: composition root, windows, commands, settings, background work, command line."""
