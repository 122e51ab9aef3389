"""Plugins of the group sampler."""
