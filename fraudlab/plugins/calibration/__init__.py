"""Plugins of the group calibration."""
