"""`luckrig replay`: what rigs answered, played back, compared, exported and deleted."""
