"""The user's side of the network: talks to a tracker; later the sidecar, the SDK and replays.

Believes nobody more than it must: what a tracker says of a rig is compared with what the rig
itself signed, and every answer is bounded in size and time. Prints nothing; cli/ does.
"""
