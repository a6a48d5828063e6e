"""From a bundle to the model that runs it, whatever its task."""

from dataclasses import replace
from typing import Any

from rnnedge_device.answers import Model
from rnnedge_device.bundle import Bundle
from rnnedge_device.captioner import Captioner
from rnnedge_device.choice import chosen_form
from rnnedge_device.classify import Classifier
from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import InputError


def check_options(
    bundle: Bundle, form: str | None = None, beam: int | None = None, interval_ms: float | None = None
) -> None:
    """Do the options mean anything to this bundle?

    Raises:
        InputError: `beam` or `interval_ms` where there are no captions, or `form` where there are.
    """
    task = bundle.manifest.task
    form = chosen_form(bundle, form)
    if task != "captions":
        for name, value in (("--beam", beam), ("--interval-ms", interval_ms)):
            if value is not None:
                raise InputError(f"{name} = {value:g}: is for captions; this is a bundle of task {task}")
    elif form is not None:
        raise InputError(
            f"--form = {form!r}: captions are written by encode and decode together; leave it out"
        )


def open_model(
    bundle: Bundle,
    form: str | None = None,
    threads: int = 1,
    beam: int | None = None,
    interval_ms: float | None = None,
) -> Model:
    """Load a bundle into an interpreter.

    Args:
        form: None for the bundle's default, `auto` for the one that the installer has chosen on this machine.
        beam, interval_ms: of captions, in place of the bundle's; None for the bundle's.

    Raises:
        InputError: no such form, a model the runtime cannot load, or an argument out of range.
    """
    spec = bundle.manifest.caption
    form = chosen_form(bundle, form)
    if spec is not None:
        given: dict[str, Any] = {"beam": beam, "interval_ms": interval_ms}
        spec = replace(spec, **{name: value for name, value in given.items() if value is not None})
        return Captioner(replace(bundle, manifest=replace(bundle.manifest, caption=spec)), threads)
    if bundle.manifest.clip is None:
        return Classifier(bundle, form, threads)
    return ClipModel(bundle, form or "step", threads)


def form_of(model: Model) -> str:
    """The name of the form that runs."""
    if isinstance(model, Captioner):
        return "+".join(form.name for form in model.forms)
    return model.form.name


def rate_of(model: Model) -> float | None:
    """Model steps a second that the bundle asks for; None where it takes every frame."""
    if isinstance(model, Captioner):
        return 1000 / model.spec.interval_ms
    return None if isinstance(model, Classifier) else model.clip.rate
