"""The failure log of a source: every failed run and step, newest first, with its chain and stack trace."""
