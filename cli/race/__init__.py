"""`luckrig race`: the same prompt on several rigs at once."""
