"""`luckrig doctor`: looks at everything that a rig needs, one thing after the other.

`visit` knows the order and what needs what, `here` and `there` judge what was found on this machine
and at the tracker, `chat` asks for the one streamed reply. Nothing here repairs anything.
"""
