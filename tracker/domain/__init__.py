"""The tracker's rules: pure functions over records. No I/O; time is an argument."""
