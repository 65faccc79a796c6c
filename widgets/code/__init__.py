"""The code of a replayed run: source, stack and locals at the playhead. Knows neither app nor sessions."""
