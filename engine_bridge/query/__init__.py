"""The filter language: grammar, syntax tree, and its three back ends (SQL, predicate, completion)."""
