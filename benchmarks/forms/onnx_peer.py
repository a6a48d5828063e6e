"""ONNX Runtime candidates: ONNX's own recurrent operator, in float32 and with dynamic int8."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from benchmarks.forms.candidate import Candidate
from benchmarks.forms.subject import CLASSES, FEATURES, ROWS, Subject

_OPERATORS = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "RNN"}
# Keras's gates in ONNX's order: i, f, g, o → i, o, f, c.
_ORDER = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2), "simple_rnn": (0,)}


def onnx_peers(subject: Subject) -> list[Candidate]:
    """ONNX Runtime on one thread.

    Unrolled graphs of MatMul (``MatMulInteger`` once quantised, dynamically or by QDQ) were tried, too: 2 to 9 times
    slower than the operator in every case. Dynamic quantisation comes with weights of either signedness, as ONNX
    Runtime's kernels for them differ in speed. It quantises no recurrent operator but the LSTM.
    """
    with tempfile.TemporaryDirectory(prefix="rnnedge-") as folder:
        source = Path(folder) / "float32.onnx"
        onnx.save(_graph(subject), source)
        found = [_candidate("ONNX Runtime float32", source, exact=True)]
        if subject.cell == "lstm":
            logging.getLogger().setLevel(
                logging.ERROR
            )  # its quantiser recommends a pre-processing that changes nothing
            for kind in (QuantType.QInt8, QuantType.QUInt8):
                target = Path(folder) / f"{kind}.onnx"
                quantize_dynamic(source, target, weight_type=kind)
                found.append(_candidate(f"ONNX Runtime dynamic {str(kind).lower()[1:]}", target))
    return found


def _graph(subject: Subject) -> Any:
    """``x [1, 28, 28] -> y [1, 10]``: Reshape to time first, the operator, Squeeze, Gemm."""
    kernel, recurrent, bias, dense, dense_bias = subject.weights
    order = _ORDER[subject.cell]

    def arranged(array: np.ndarray) -> np.ndarray:
        parts = np.split(array, len(order), axis=-1)
        return np.concatenate([parts[index] for index in order], axis=-1)

    both = bias if subject.cell == "gru" else np.stack([bias, np.zeros_like(bias)])
    constants = {
        "time_first": np.array([ROWS, 1, FEATURES], np.int64),
        "W": arranged(kernel).T[None],
        "R": arranged(recurrent).T[None],
        "B": arranged(both).reshape(1, -1),
        "direction": np.array([0], np.int64),
        "dense": dense,
        "dense_bias": dense_bias,
    }
    settings: dict[str, int] = {"linear_before_reset": 1} if subject.cell == "gru" else {}
    layer = helper.make_node(
        _OPERATORS[subject.cell], ["rows", "W", "R", "B"], ["", "last"], hidden_size=subject.units, **settings
    )
    nodes = [
        helper.make_node("Reshape", ["x", "time_first"], ["rows"]),
        layer,
        helper.make_node("Squeeze", ["last", "direction"], ["h"]),
        helper.make_node("MatMul", ["h", "dense"], ["product"]),
        helper.make_node("Add", ["product", "dense_bias"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "forms",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, ROWS, FEATURES))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, CLASSES))],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _candidate(name: str, path: Path, exact: bool = False) -> Candidate:
    return Candidate(name, "peer", _runner(path.read_bytes()), size_bytes=path.stat().st_size, exact=exact)


def _runner(data: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """Input and output bound once: less work a call than ``run`` with a dictionary."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    x = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((1, ROWS, FEATURES), np.float32))
    y = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((1, CLASSES), np.float32))
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", x)
    binding.bind_ortvalue_output("y", y)

    def run(value: np.ndarray) -> np.ndarray:
        x.update_inplace(value)
        session.run_with_iobinding(binding)
        return y.numpy()

    return run
