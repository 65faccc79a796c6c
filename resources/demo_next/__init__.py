"""The shop's next release, as somebody would deploy it: one workflow module of the demo, edited without a patch.

`playhead replay` stops it: see docs/demo.md.
"""
