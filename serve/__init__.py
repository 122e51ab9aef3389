"""The HTTP service: scores JSON transactions with one bundle, and knows nothing of training."""
