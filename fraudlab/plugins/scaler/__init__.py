"""Plugins of the group scaler."""
