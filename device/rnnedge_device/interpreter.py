"""The TFLite runtimes behind one door: ai-edge-litert where it is installed, else tflite-runtime.

The environment variable RNNEDGE_RUNTIME (`litert` or `tflite`) forces one of them.
"""

import contextlib
import functools
import importlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.form import Form
from rnnedge_device.tensors import Tensor

_RUNTIMES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite": ("tflite_runtime.interpreter", "tflite-runtime"),
}


def _find_runtime() -> tuple[str, Any]:
    forced = os.environ.get("RNNEDGE_RUNTIME", "")
    if forced and forced not in _RUNTIMES:
        raise InputError(f"RNNEDGE_RUNTIME = {forced!r}: must be one of {', '.join(_RUNTIMES)}")
    names = [forced] if forced else list(_RUNTIMES)
    problems = []
    for name in names:
        module, package = _RUNTIMES[name]
        try:
            return name, importlib.import_module(module).Interpreter
        except ImportError as problem:
            problems.append(f"{package}: {problem}")
    raise InputError(f"no TFLite runtime: pip install ai-edge-litert ({'; '.join(problems)})")


RUNTIME_NAME, _Interpreter = _find_runtime()
_STDERR = threading.Lock()


@functools.cache
def runtime_version() -> str:
    """Package and version of the runtime in use, such as `ai-edge-litert 2.3.0`."""
    # Imported here: reading package metadata costs more than a whole inference.
    from importlib.metadata import PackageNotFoundError, version

    package = _RUNTIMES[RUNTIME_NAME][1]
    with contextlib.suppress(PackageNotFoundError):
        return f"{package} {version(package)}"
    module = sys.modules[_RUNTIMES[RUNTIME_NAME][0].partition(".")[0]]
    return f"{package} {getattr(module, '__version__', 'of unknown version')}"


@dataclass(frozen=True)
class Port:
    """An input or output of a signature: where the interpreter keeps it, and what it is."""

    index: int
    tensor: Tensor


class Model:
    """One signature of a loaded `.tflite`. Not for use by two threads at once.

    Args:
        inputs, outputs: by signature name.
    """

    def __init__(self, interpreter: Any, signature: str) -> None:
        # The runner's own __call__ resizes and re-allocates on every call, several times the cost of a
        # small model; so its tensors are set and read by index here.
        runner = interpreter.get_signature_runner(signature)
        self._interpreter = interpreter
        self._wrapper = runner._interpreter_wrapper
        self._subgraph = runner._subgraph_index
        self._wrapper.AllocateTensors(self._subgraph)
        self.signature = signature
        self.inputs = _ports(runner.get_input_details())
        self.outputs = _ports(runner.get_output_details())
        self._set = [(name, port.index) for name, port in self.inputs.items()]
        self._get = [(name, port.index) for name, port in self.outputs.items()]

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """One call: every input by name, in its exact shape and dtype; a copy of every output.

        Raises:
            KeyError: an input is missing.
            ValueError: a shape or dtype that is not the input's.
        """
        wrapper, subgraph = self._wrapper, self._subgraph
        for name, index in self._set:
            wrapper.SetTensor(index, feeds[name], subgraph)
        wrapper.Invoke(subgraph)
        return {name: wrapper.GetTensor(index, subgraph) for name, index in self._get}

    def reset(self) -> None:
        """Clear the variables a fused recurrent op keeps between calls."""
        self._interpreter.reset_all_variables()


def load_model(data: bytes, threads: int = 1, signature: str | None = None) -> Model:
    """Load a `.tflite` and prepare one signature (None: the only one, or the first).

    Raises:
        BundleError: the runtime cannot load the file, or it has no such signature.
        InputError: `threads` is not a whole number above zero.
    """
    return _load(data, threads, [signature])[0]


def _load(data: bytes, threads: int, signatures: Sequence[str | None]) -> list[Model]:
    """The signatures of one interpreter: the weights are in memory once."""
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise InputError(f"threads = {threads!r}: must be a whole number above zero")
    try:
        with _quiet_stderr():
            interpreter = _Interpreter(model_content=data, num_threads=threads)
            names = list(interpreter.get_signature_list())
            for signature in signatures:
                if not names or signature not in (None, *names):
                    have = ", ".join(names) or "none"
                    raise BundleError(f"signature {signature!r}: the model has {have}")
            return [Model(interpreter, signature or names[0]) for signature in signatures]
    except BundleError:
        raise
    except (ValueError, RuntimeError, TypeError) as problem:
        reason = " ".join(str(problem).split())
        raise BundleError(f"{runtime_version()} cannot load the model: {reason}") from None


def load_form(data: bytes, form: Form, threads: int = 1) -> Model:
    """Load the signature of a form from its member.

    Raises:
        BundleError: as `load_model`; or the model's tensors are not those of the manifest.
        InputError: as `load_model`.
    """
    return load_forms(data, (form,), threads)[0]


def load_forms(data: bytes, forms: Sequence[Form], threads: int = 1) -> list[Model]:
    """Load the signatures of several forms from their one member, into one interpreter.

    Raises:
        BundleError, InputError: as `load_form`.
    """
    models = _load(data, threads, [form.signature for form in forms])
    for form, model in zip(forms, models, strict=True):
        _check_border(form, model)
    return models


def _check_border(form: Form, model: Model) -> None:
    # A wrong scale would be wrong silently.
    for side, tensors, ports in (
        ("input", form.inputs, model.inputs),
        ("output", form.outputs, model.outputs),
    ):
        if {tensor.name for tensor in tensors} != set(ports):
            raise BundleError(
                f"form {form.name}: {side}s {[tensor.name for tensor in tensors]} in the manifest, "
                f"{list(ports)} in the model"
            )
        for tensor in tensors:
            found = ports[tensor.name].tensor
            if tensor != found:
                raise BundleError(f"form {form.name}: {side}: {tensor} in the manifest, {found} in the model")


def _ports(details: Mapping[str, Mapping[str, Any]]) -> dict[str, Port]:
    return {
        name: Port(
            int(detail["index"]),
            Tensor(
                name,
                tuple(int(side) for side in detail["shape"]),
                np.dtype(detail["dtype"]).name,
                float(detail["quantization"][0]),
                int(detail["quantization"][1]),
            ),
        )
        for name, detail in details.items()
    }


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    # The runtime's C++ code announces its delegates on file descriptor 2, past sys.stderr. One thread at a time: a
    # second one would take the null device for stderr, and put it there for good.
    with _STDERR:
        try:
            saved = os.dup(2)
        except OSError:  # no stderr at all, as in some services
            yield
            return
        try:
            sys.stderr.flush()
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 2)
            os.close(null)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
