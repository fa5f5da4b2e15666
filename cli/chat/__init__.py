"""`luckrig chat`: talk to a rig from the terminal, or from a pipe."""
