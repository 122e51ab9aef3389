"""`python -m serve`: run the service; `--help` lists its settings."""

from __future__ import annotations

from serve.server import main

if __name__ == "__main__":
    raise SystemExit(main())
