"""Plugins of the group selection."""
