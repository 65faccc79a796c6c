"""The sample application of Playhead's demo: an online shop on DBOS.

Orders are fulfilled as a saga, dear ones wait for a human; returns wait for a parcel and changed their code between
releases v1 and v2; a research agent waits for its reviewer; imports crash their worker. Every module is one part
of the shop. ``worker`` runs it, in a process of its own; nothing here is imported by the application itself.
"""
