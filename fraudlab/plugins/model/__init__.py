"""Plugins of the group model."""
