"""The rig's half of subtext: its keys, opening what was sealed to them, sealing what is answered.

The formats are protocol/subtext/; where this stands in the pipeline is in docs/ARCHITECTURE.md.
"""
