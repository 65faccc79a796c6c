"""Operator actions as the user sees them: forms, plans, executions, bulk jobs, the sheet that holds them."""
