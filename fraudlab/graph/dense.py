"""Linear and fully connected models, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx

from fraudlab.graph import nodes
from fraudlab.links import Floats, SigmoidLink
from fraudlab.protocols import Graph

TOLERANCE = 1e-9


def export_linear(estimator: Any) -> Graph:
    """Return the graph of a LogisticRegression."""
    return write_dense([(estimator.coef_.T, estimator.intercept_)])


def export_mlp(estimator: Any) -> Graph:
    """Return the graph of an MLPClassifier with relu activation."""
    return write_dense(list(zip(estimator.coefs_, estimator.intercepts_, strict=True)))


def write_dense(layers: Sequence[tuple[Floats, Floats]]) -> Graph:
    """Return the graph of `layers` (weights [in, out], bias [out]) with relu between them."""
    body = [nodes.cast_to_double()]
    tensors: dict[str, Floats] = {}
    source = nodes.DOUBLES
    for number, (weights, bias) in enumerate(layers):
        last = number == len(layers) - 1
        tensors |= {f"weights{number}": weights, f"bias{number}": bias}
        output = nodes.MARGIN if last else f"sum{number}"
        body.append(nodes.node("Gemm", [source, f"weights{number}", f"bias{number}"], output))
        if not last:
            source = f"hidden{number}"
            body.append(nodes.node("Relu", [output], source))
    width = len(layers[0][0])
    content = nodes.serialise(body, tensors, width, onnx.TensorProto.DOUBLE)
    return Graph(onnx=content, link=SigmoidLink(), tolerance=TOLERANCE)
