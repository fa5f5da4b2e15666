"""Tests of luckrig.protocol."""
