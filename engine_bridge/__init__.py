"""Everything of Playhead that is not Qt: the model, the engines, queries, payloads, sessions."""
