"""Config-driven experiments for fraud detection, from a YAML to a scored transaction."""

__version__ = "0.1.0"
