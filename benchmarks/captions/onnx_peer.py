"""ONNX Runtime candidates: both halves in float32, and the decoder with dynamic int8, on one thread."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

from benchmarks.captions.candidate import HALVES, Candidate, in_shape
from benchmarks.captions.onnx_cells import STYLES
from benchmarks.captions.onnx_decoder import onnx_models
from benchmarks.captions.subject import Arrays, Subject

_CELLS = {"operator": "own {}", "products": "{} of products"}


def onnx_peers(subject: Subject) -> list[Candidate]:
    """Float32 and dynamic int8, each with the recurrent cell as an operator and as products.

    A file's size is that of both halves; dynamic quantisation leaves the encoder in float32.
    """
    # The quantiser recommends a pre-processing that changes nothing.
    logging.getLogger().setLevel(logging.ERROR)
    found = []
    with tempfile.TemporaryDirectory(prefix="rnnedge-") as folder:
        for style in STYLES:
            cell = _CELLS[style].format(subject.decoder.settings.cell.upper())
            files = {}
            for half, model in onnx_models(subject, style).items():
                files[half] = Path(folder) / f"{half}-{style}.onnx"
                onnx.save(model, files[half])
            size = sum(path.stat().st_size for path in files.values())
            for half, path in files.items():
                name = f"ONNX Runtime float32, {cell}"
                if half == "encode" and subject.decoder.settings.image != "first":  # it has no cell
                    if style != STYLES[0]:
                        continue
                    name = "ONNX Runtime float32"
                found.append(onnx_candidate(name, half, path.read_bytes(), size, exact=True))
            for kind in (QuantType.QInt8, QuantType.QUInt8):
                target = Path(folder) / f"decode-{style}-{kind}.onnx"
                quantize_dynamic(files["decode"], target, weight_type=kind)
                size = files["encode"].stat().st_size + target.stat().st_size
                name = f"ONNX Runtime dynamic {str(kind).lower()[1:]}, {cell}"
                found.append(onnx_candidate(name, "decode", target.read_bytes(), size))
    return sorted(found, key=lambda candidate: HALVES.index(candidate.half))


def onnx_candidate(name: str, half: str, data: bytes, size: int, exact: bool = False) -> Candidate:
    """A model file as a candidate; it knows the shapes of its own border."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    shapes = {node.name: tuple(node.shape) for node in session.get_inputs()}
    return Candidate(
        name, half, _runner(session), lambda given: in_shape(given, shapes), size_bytes=size, exact=exact
    )


def _runner(session: onnxruntime.InferenceSession) -> Callable[[Arrays], Arrays]:
    """``session.run`` less what it checks at each call; bound inputs and outputs were tried: no faster."""
    run, names = session._sess.run, [node.name for node in session.get_outputs()]
    return lambda given: dict(zip(names, run(names, given, None), strict=True))
