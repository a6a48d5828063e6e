"""LiteRT's other interpreter, ``CompiledModel``, asked to pack each weight matrix once.

``Interpreter`` lets XNNPACK pack a matrix anew for every operator that reads it: 28 copies in an unrolled graph, which
then come from the outer caches at every frame. ``CompiledModel`` can be given a weight cache, and with it all
operators share one packed copy. ``:memory`` keeps that cache in memory instead of in a file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import _pywrap_litert_tensor_buffer_wrapper as buffers
from ai_edge_litert.compiled_model import CompiledModel, CpuOptions, HardwareAccelerator, Options

from rnnedge_device.interpreter import _quiet_stderr


def packed_runner(data: bytes, outputs: int) -> Callable[[Any], np.ndarray]:
    """A call for a model with one float32 input and one float32 output ``[1, outputs]``."""
    options = Options(
        hardware_accelerators=HardwareAccelerator.CPU,
        cpu_options=CpuOptions(num_threads=1, xnnpack_weight_cache_path=":memory"),
    )
    with _quiet_stderr():
        model = CompiledModel.from_buffer(data, options=options)
    (x,), (y,) = model.create_input_buffers(0), model.create_output_buffers(0)
    source, target = x.capsule, y.capsule
    sources, targets = [source], [target]
    # As TensorBuffer.write, CompiledModel.run_by_index and TensorBuffer.read, less what they work out at each call.
    write, invoke, read = buffers.WriteTensorBuffer, model._model.RunByIndex, buffers.ReadTensorToBuffer

    def run(value: np.ndarray) -> np.ndarray:
        write(source, value, "float32")
        invoke(0, sources, targets)
        result = np.empty((1, outputs), np.float32)
        read(target, result, "float32")
        return result

    return run
