"""Operator actions: specs, drafts, plans, the journal, execution in a killable child, bulk."""
