"""Plugins of the group threshold_strategy."""
