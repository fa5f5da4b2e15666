"""`luckrig admin`: what a tracker's operators decide. The tracker checks that you are one."""
