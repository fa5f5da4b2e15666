"""Tests of luckrig.protocol.subtext."""
