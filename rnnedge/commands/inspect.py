"""``rnnedge inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnedge.commands import options

if TYPE_CHECKING:
    from rnnedge_device.signature import Signature
    from rnnedge_export.flatbuffer import Tensor


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@options.as_json
def command(file: Path, as_json: bool) -> None:
    """Show what is inside FILE, a bundle or a .tflite: signatures, states, scales, operators, sizes.

    \b
    Example:
      rnnedge inspect runs/demo/digits-lstm.rnnedge
      rnnedge inspect model.tflite --json
    """
    from rnnedge_device.errors import InputError

    if not file.is_file():
        raise InputError(f"FILE={str(file)!r}: is not a file; give a bundle (.rnnedge) or a model (.tflite)")
    facts = _tflite(file.read_bytes()) if file.suffix == ".tflite" else _bundle(file)
    if as_json:
        options.print_json(facts)
    else:
        _show(facts)


def _bundle(file: Path) -> dict[str, Any]:
    from rnnedge_device.bundle import read_bundle

    bundle = read_bundle(file)
    manifest = bundle.manifest.to_dict()
    forms = {
        form.name: {
            **_tflite(bundle.members[form.file], form.signature),
            "file": form.file,
            "states": [state.to_dict() for state in form.states],
            "scan": form.scan.to_list(),
            "latency_us": form.latency_us,
        }
        for form in bundle.manifest.forms
    }
    keys = (
        "name",
        "task",
        "labels",
        "output",
        "preprocess",
        "metrics",
        "versions",
        "created",
        "format_version",
    )
    return {
        **{key: manifest[key] for key in keys},
        "files": manifest["files"],
        "sha256": bundle.sha256,
        "signature": _signature(bundle.signature),
        "forms": forms,
    }


def _signature(signature: Signature | None) -> dict[str, Any] | None:
    """Who signed, and is it true? `holds` is None where the package that could tell is missing."""
    from rnnedge_device.errors import InputError

    if signature is None:
        return None
    try:
        holds: bool | None = signature.holds()
    except InputError:
        holds = None
    return {"key": signature.key_id, "holds": holds}


def _tflite(data: bytes, only: str | None = None) -> dict[str, Any]:
    """The facts of a file, or of one of its signatures."""
    from rnnedge_export import audit, read_model

    model = read_model(data)
    result = audit(data, int8=False, signature=only).to_dict()
    constants = [t for graph in model.subgraphs for t in graph.tensors if t.constant]
    return {
        "size_bytes": len(data),
        "signatures": {
            signature.key: {
                "inputs": {name: _tensor(t) for name, t in signature.inputs.items()},
                "outputs": {name: _tensor(t) for name, t in signature.outputs.items()},
            }
            for signature in model.signatures
            if only in (None, signature.key)
        },
        "subgraphs": len(model.subgraphs),
        "constant_bytes": sum(len(t.data) for t in constants),
        "macs": result["macs"],
        "ops": {name: {"count": n, "version": result["versions"][name]} for name, n in result["ops"].items()},
        "float_ops": result["float_ops"],
        "ties": result["ties"],
        "runtimes": result["runtimes"],
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "scale": tensor.scales[0] if tensor.scales else 0.0,
        "zero_point": tensor.zero_points[0] if tensor.zero_points else 0,
    }


def _show(facts: dict[str, Any]) -> None:
    if "forms" in facts:
        made = ", ".join(f"{k} {v}" for k, v in facts["versions"].items())
        click.echo(f"{facts['name']}  {facts['task']}, {len(facts['labels'])} classes, {facts['output']}")
        click.echo(f"  labels      {', '.join(facts['labels'][:20])}")
        click.echo(f"  preprocess  {facts['preprocess']}")
        click.echo(f"  made        {facts['created']} with {made}")
        for name, entry in facts["files"].items():
            click.echo(f"  {name:<20} {entry['size']:>10,} bytes  sha256 {entry['sha256'][:16]}…")
        click.echo(f"  signature   {_signed(facts['signature'])}")
    for name, form in facts.get("forms", {"model": facts}).items():
        click.echo(f"\n{name}  {form['size_bytes']:,} bytes, {form['macs']:,} multiply-adds")
        for key, signature in form["signatures"].items():
            for side in ("inputs", "outputs"):
                for tensor, t in signature[side].items():
                    scale = f"scale {t['scale']:.8g}, zero point {t['zero_point']}" if t["scale"] else ""
                    click.echo(f"  {key}.{side[:-1]} {tensor:<8} {t['dtype']:<8} {t['shape']!s:<18} {scale}")
        for state in form.get("states", []):
            click.echo(f"  state {state['output']} → {state['input']}, starts at {state['reset']:g}")
        click.echo(
            "  ops    " + ", ".join(f"{op} v{v['version']} ×{v['count']}" for op, v in form["ops"].items())
        )
        click.echo("  float  " + ("; ".join(f"{k}: {v}" for k, v in form["float_ops"].items()) or "none"))
        click.echo("  ties   " + ("; ".join(form["ties"]) or "none: the same bits on x86 and ARM"))
        for runtime, problems in form["runtimes"].items():
            click.echo(
                f"  {runtime:<20} " + ("loads it" if not problems else "cannot: " + "; ".join(problems))
            )


def _signed(signature: dict[str, Any] | None) -> str:
    if signature is None:
        return "none"
    verdict = {
        True: "holds",
        False: "is FALSE: the manifest was changed after it was signed",
        None: "was not checked: pip install 'rnnedge[runner]'",
    }
    return f"by the key {signature['key']}: {verdict[signature['holds']]}"
