"""Tests of luckrig, one folder for each part."""
