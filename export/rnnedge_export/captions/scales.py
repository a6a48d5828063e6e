"""Scales of the fine-tuned decoder's products, set to what the finished file will have."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rnnedge_export.captions.decoder import CaptionDecoder
from rnnedge_export.roundings import snapped

LEVELS = 127  # of a symmetric int8 matrix


def snap_products(decoder: CaptionDecoder) -> None:
    """Give each product the factor with which it rounds alike on every machine (``snapping.py``).

    A matrix changes its own scale for it, a product of two activations and a mean that of their result. Such a scale
    lies up to 1e-4 away from the trained one, and a state that goes round keeps what it once got: left as they were, an
    attention weight in 400 differed by a step from the file's in a single step.
    """
    if decoder.settings.image == "attention":
        own = decoder.sites_of().scale
        places = decoder.places
        _snap_result(decoder, "pooled", own("features") / places)
        _snap_result(decoder, "seen", own("sigmoid") * own("features"))
    for kernel, x, out in products(decoder):
        bounds = decoder.weight_range(kernel)
        scale = float(bounds["max_var"]) / LEVELS
        largest = LEVELS * snapped(x * scale / out) * out / x
        bounds["min_var"].assign(-largest)
        bounds["max_var"].assign(largest)
        bias = decoder.bias_of(kernel)
        if bias is not None:
            # In the file a sum of products begins with it, in their unit.
            unit = x * largest / LEVELS
            bias.assign(np.rint(bias.numpy().astype(np.float64) / unit) * unit)


def _snap_result(decoder: CaptionDecoder, site: str, numerator: float) -> None:
    """Move the range of ``site`` so that ``numerator`` over its scale is snapped."""
    sites = decoder.sites_of()
    scale = sites.scale(site)
    ratio = numerator / snapped(numerator / scale) / scale
    for bound in sites.ranges[site].values():
        bound.assign(bound * ratio)


def products(decoder: CaptionDecoder) -> Iterator[tuple[str, float, float]]:
    """Every matrix that has one product: its name, the scale of what it multiplies, and of what comes out."""
    settings, cell = decoder.settings, decoder.settings.cell
    words = float(decoder.weight_range("words/kernel")["max_var"]) / LEVELS
    own, attends = decoder.sites_of().scale, settings.image == "attention"
    for index in range(settings.layers):
        sites = decoder.sites_of(index)
        if index or attends or settings.image == "state":
            below = decoder.sites_of(index - 1).scale("h") if index else own("x") if attends else words
            yield f"{cell}_{index}/kernel", below, sites.scale("zx")
        yield f"{cell}_{index}/recurrent_kernel", sites.scale("h"), sites.scale("zh")
    top = decoder.sites_of(settings.layers - 1).scale("h")
    yield "logits/kernel", own("y") if attends else top, own("logits")
    if attends:
        for name in decoder.state_names:
            yield f"start_{name}/kernel", own("pooled"), decoder.sites_of(int(name[1:])).scale(name[0])
        yield "keys/kernel", own("features"), own("keys")
        yield "query/kernel", top, own("query")
        yield "ask/kernel", words, own("ask")
        yield "energy/kernel", own("tanh"), own("energy")
        yield "glimpse/kernel", own("seen"), own("glimpse")
