"""Shared table pieces: paged rows, model, painting delegate, view, empty states."""
