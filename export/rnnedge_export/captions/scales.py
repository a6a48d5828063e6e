"""Scales of the fine-tuned decoder, set so that its fake quantisation rounds as the finished file does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from rnnedge_export.captions.decoder import CaptionDecoder
from rnnedge_export.roundings import snapped
from rnnedge_export.sites import Sites

LEVELS = 127  # of a symmetric int8 matrix
# What is added comes in these shares of the sum's step. ADD's kernel multiplies by numbers of 21 bits, up to 1e-4 of a
# step away; sums of such shares stay 1 / 2046 away from a half, on either side of which fake quantisation might fall.
SHARES = 1023
# The same for c, one of whose shares is 255/256 already: with an odd number up to this one its sums stay 1e-4 away.
CELL_SHARES = 41

Bounds = Mapping[str, tf.Variable]


def snap_scales(decoder: CaptionDecoder) -> None:
    """Give each sum and each product factors with which it rounds alike everywhere (``roundings.py``).

    A matrix changes its own scale for it, a product of two activations and a mean that of their result. Such a scale
    lies up to 1e-4 away from the trained one, and a state that goes round keeps what it once got: left as they were, an
    attention weight in 400 differed by a step from the file's in a single step.
    """
    if decoder.settings.image == "attention":
        own, sites = decoder.sites_of().scale, decoder.sites_of()
        _snap_result(sites, "pooled", own("features") / decoder.places)
        _snap_result(sites, "seen", own("sigmoid") * own("features"))
    _snap_sums(decoder)
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


def _snap_result(sites: Sites, site: str, numerator: float) -> None:
    """Move the range of ``site`` so that ``numerator`` over its scale is snapped."""
    scale = sites.scale(site)
    _widen(sites.ranges[site], numerator / snapped(numerator / scale) / scale)


def _snap_sums(decoder: CaptionDecoder) -> None:
    """Widen what is added, and where that has a given scale the sum, until its steps are shares of the sum's."""
    for index in range(decoder.settings.layers):
        sites = decoder.sites_of(index)
        for site in ("zx", "zh"):
            _share(sites.ranges[site], sites.scale(site), sites.scale("z"))
        if decoder.settings.cell == "lstm":
            given = sites.scale("ig") / sites.scale("c")
            _widen(sites.ranges["c"], given / max(_below(given, q) for q in range(1, CELL_SHARES + 1, 2)))
    if decoder.settings.image != "attention":
        return
    sites, words = decoder.sites_of(), decoder.weight_range("words/kernel")
    for site, total in (("keys", "keyed"), ("asked", "keyed"), ("query", "asked"), ("ask", "asked")):
        _share(sites.ranges[site], sites.scale(site), sites.scale(total))
    top = decoder.sites_of(decoder.settings.layers - 1)
    for total, given in (("x", sites.scale("seen")), ("y", top.scale("h"))):
        share = given / sites.scale(total)
        _widen(sites.ranges[total], share / _below(share, SHARES))
    _share(words, float(words["max_var"]) / LEVELS, sites.scale("x"))
    _share(sites.ranges["glimpse"], sites.scale("glimpse"), sites.scale("y"))


def _share(bounds: Bounds, scale: float, total: float) -> None:
    """Widen a range until its scale is a whole number of ``SHARES`` of ``total``."""
    _widen(bounds, math.ceil(scale / total * SHARES - 1e-4) / SHARES * total / scale)


def _below(share: float, q: int) -> float:
    """The largest ``p / q`` up to ``share``."""
    return math.floor(share * q + 1e-4) / q


def _widen(bounds: Bounds, ratio: float) -> None:
    for bound in bounds.values():
        bound.assign(bound * ratio)
