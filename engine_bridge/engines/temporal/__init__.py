"""Temporal: exported histories, servers, and dev-server databases."""
