"""The other half of Playhead's demo: a community of energy customers, whose rows carry their own state.

Short code on the reference engine of entities, meant to be read: ``registration.json`` and ``invoice.json`` say what
may happen, ``use_cases.py`` does it, ``behaviour.py`` plays the people. ``next/`` is a release that is yet to come.
"""
