"""Tests of the node proxy."""
