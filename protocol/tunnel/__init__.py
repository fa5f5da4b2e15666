"""The tunnel between a rig and its tracker: frames, their order, and who may speak.

frames.py is the bytes, ends.py what each end may send and when, proof.py how a rig says who it is.
docs/PROTOCOL.md, section 14, is the same in words.
"""
