"""Measurements of the hot paths, always next to something to compare with. See README.md.

Nothing here is shipped or imported by the parts, and nothing asserts a time: figures go into
README.md as ratios of one run.
"""
