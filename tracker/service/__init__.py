"""What the tracker does, free of HTTP: publish and list rigs, sign tokens, watch health.

Services see the store through its interface and get the clock and randomness as arguments.
"""
