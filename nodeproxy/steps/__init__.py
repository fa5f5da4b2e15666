"""The steps of the pipeline, one module each. Their order is in nodeproxy/pipeline.py."""
