"""Replay: the user's code run again against a recorded history, in a child process of the user's interpreter.

Engine-neutral. An engine brings a runner (one file for the user's interpreter) and what it needs of a run; all the
rest (supervision, trace, divergence, gate) is here.
"""
