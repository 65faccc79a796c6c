"""Tests of Playhead; the tree mirrors the packages."""
