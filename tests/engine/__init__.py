"""Tests of luckrig.engine: the real llama.cpp server on tiny models."""
