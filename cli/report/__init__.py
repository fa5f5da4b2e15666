"""`luckrig report`: tell a tracker's operators what is wrong, and see what becomes of it."""
