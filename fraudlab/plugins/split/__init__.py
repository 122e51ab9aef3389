"""Plugins of the group split."""
