"""Replays: requests and their replies as the user's machine saw them, on the user's own disk."""
