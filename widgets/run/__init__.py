"""The run page: header, blocked line, events, failures, relations, detail. Knows no engine and no session."""
