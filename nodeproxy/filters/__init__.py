"""Layer 1: local rules over the text of a request. Pure; rule packs are data files.

Rules catch what is plainly forbidden. They are not a safety promise, and nothing in luckrig
says they are one.
"""
