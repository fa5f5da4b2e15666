"""The user's side against a small real tracker, honest and hostile."""
