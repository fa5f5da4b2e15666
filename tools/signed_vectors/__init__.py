"""Ids and signed documents, good and bad, for tests/vectors; tools/make_vectors.py writes them."""
