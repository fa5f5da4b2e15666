"""The tracker's memory: one interface, a twin in memory for tests, and SQLite."""
