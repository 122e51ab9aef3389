"""Everything a configuration can name: one folder per group, one file per plugin."""
