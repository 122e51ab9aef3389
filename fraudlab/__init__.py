"""Config-driven experiments for fraud detection, from a YAML to a scored transaction."""

import os

__version__ = "0.1.0"

# onnxruntime reads it when it is imported; otherwise it reports its use to its maker over the
# network, from a thread of its own. Transactions are nobody else's business.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
