"""Features computed from the past of a transaction's entities."""
