"""The least a service could do, as an upper bound: decode, model, encode, and nothing around it.

python scripts/bare_service.py bundles/champion --port 8002
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import uvicorn

from fraudlab.bundle import read_bundle
from serve.schemas import transaction_type

HEADERS = [(b"content-type", b"application/json")]


def create_app(folder: Path) -> Any:
    bundle = read_bundle(folder)
    inputs = [place for place, field in enumerate(bundle.manifest.features) if field.is_input]
    decode = msgspec.json.Decoder(transaction_type(bundle.manifest.features)).decode
    margins = bundle.scorer().runner.margins
    value = bundle.manifest.threshold.value

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        row = msgspec.structs.astuple(decode((await receive())["body"]))
        matrix = np.array([[row[place] for place in inputs]], dtype=np.float32)
        score = float(margins(matrix)[0])
        answer = {"is_fraud": score >= value, "fraud_probability": score, "risk_level": "low"}
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": msgspec.json.encode(answer)})

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--port", type=int, default=8002)
    options = parser.parse_args()
    uvicorn.run(
        create_app(options.bundle),
        port=options.port,
        lifespan="off",
        access_log=False,
        server_header=False,
        date_header=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
