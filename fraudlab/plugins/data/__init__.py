"""Plugins of the group data."""
