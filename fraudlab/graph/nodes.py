"""Writing ONNX: nodes, tensors and the file. The same content always gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, helper, numpy_helper

ROWS, DOUBLES, MARGIN = "rows", "doubles", "margin"
ML = "ai.onnx.ml"
OPSET, ML_OPSET, IR = 21, 5, 10  # what the exactness was measured with


def node(
    operator: str, inputs: Sequence[str], *outputs: str, domain: str = "", **attributes: Any
) -> onnx.NodeProto:
    """Return a node; integer arrays become lists of ints, other arrays tensors."""
    made = helper.make_node(operator, list(inputs), list(outputs), domain=domain)
    made.attribute.extend(_attribute(name, value) for name, value in sorted(attributes.items()))
    return made


def _attribute(name: str, value: Any) -> AttributeProto:
    if isinstance(value, np.ndarray) and value.dtype == np.int64:
        made = AttributeProto(name=name, type=AttributeProto.INTS)
        made.ints.extend(value.tolist())  # make_attribute would look at every int on its own
        return made
    if isinstance(value, np.ndarray):
        value = numpy_helper.from_array(value)
    return helper.make_attribute(name, value)


def cast_to_double() -> onnx.NodeProto:
    """Return the node that makes float64 of the input; every float32 is one."""
    return node("Cast", [ROWS], DOUBLES, to=onnx.TensorProto.DOUBLE)


def serialise(
    body: Sequence[onnx.NodeProto],
    tensors: Mapping[str, NDArray[Any]],
    width: int,
    kind: int,
) -> bytes:
    """Return the file: `rows` float32 [N, width] in, `margin` [N, 1] of the type `kind` out."""
    graph = helper.make_graph(
        list(body),
        "fraudlab",
        [helper.make_tensor_value_info(ROWS, onnx.TensorProto.FLOAT, ["N", width])],
        [helper.make_tensor_value_info(MARGIN, kind, ["N", 1])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    model = helper.make_model(
        graph,
        producer_name="fraudlab",
        ir_version=IR,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)],
    )
    content: bytes = model.SerializeToString(deterministic=True)
    return content
