"""What make_subtext_vectors.py puts into its file, one module for each part of the format."""
