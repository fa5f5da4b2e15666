"""Tests of the tracker: its rules, its stores, its API."""
