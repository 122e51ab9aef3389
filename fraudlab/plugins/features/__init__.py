"""Plugins of the group features."""
