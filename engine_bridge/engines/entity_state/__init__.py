"""Entity-is-state: the status column of a domain row is the state of its workflow."""
