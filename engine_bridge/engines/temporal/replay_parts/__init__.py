"""Temporal's part of the replay runner: joined to the common parts and run in the user's interpreter, never imported.

Drives temporalio 1.8 and newer by its Replayer. What is private there (``_WorkflowInstanceImpl``: ``_add_command``,
``_tasks``, ``_pending_*``) is only read, behind guards, and the same from 1.0 to 1.35; without it a replay tells less.
"""
