"""TFLite candidates: the bundle's int8 file and a float32 file of the same model, both through the device's code."""

from __future__ import annotations

from benchmarks.captions.candidate import HALVES, OURS, Candidate
from benchmarks.captions.subject import Arrays, Subject
from rnnedge_device.bundle import Bundle
from rnnedge_device.errors import InputError
from rnnedge_device.interpreter import Model, load_form, load_model
from rnnedge_export.captions.graphs import trace
from rnnedge_export.convert import Job, convert
from rnnedge_export.merging import merge
from rnnedge_export.rewrite import finish


def int8(bundle: Bundle) -> list[Candidate]:
    """Both halves of the bundle, one thread; its border as it is packed, int8 as a rule.

    Raises:
        InputError: it is no caption bundle.
    """
    if bundle.manifest.task != "captions":
        raise InputError(f"{bundle.manifest.name}: task {bundle.manifest.task!r}; expected a caption bundle")
    forms = [bundle.manifest.form(half) for half in HALVES]
    data = bundle.members[forms[0].file]
    return [_candidate(OURS, form.name, load_form(data, form), len(data)) for form in forms]


def float32(subject: Subject) -> list[Candidate]:
    """Both halves of the float twin, as TensorFlow's converter makes them, one thread."""
    data = float_file(subject)
    return [
        _candidate("LiteRT float32", half, load_model(data, 1, half), len(data), exact=True)
        for half in HALVES
    ]


def float_file(subject: Subject) -> bytes:
    """The float32 ``.tflite`` with the signatures of the int8 one."""
    graphs = trace(subject.twin, subject.decoder)
    jobs = [Job(half, getattr(graphs, half), "float32", "float32") for half in HALVES]
    files = {}
    for half, data in convert(jobs).items():
        if isinstance(data, Exception):
            raise data
        # Where the picture is the first input, encode's states before it are zero.
        files[half] = finish(data, graphs.bound) if half == "encode" and graphs.bound else data
    return merge(files)


def _candidate(name: str, half: str, model: Model, size: int, exact: bool = False) -> Candidate:
    inputs = {key: port.tensor for key, port in model.inputs.items()}
    outputs = {key: port.tensor for key, port in model.outputs.items()}

    def prepare(given: Arrays) -> Arrays:
        return {key: tensor.encode(given[key]) for key, tensor in inputs.items()}

    return Candidate(
        name, half, model.run, prepare, lambda key, value: outputs[key].decode(value), size, exact
    )
