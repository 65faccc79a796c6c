"""DBOS's part of the replay runner: joined to the common parts and run in the user's interpreter, never imported here.

Drives dbos 3.x through names that are private there (``_core``, ``_sys_db``, ``_context``): pinned by the supported
range and tested with each version (reference of dbos 3.4.0).
"""
