"""Of the measurements: what judges figures, never the figures."""
