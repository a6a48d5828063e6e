"""What bundles give for frames, raw: `outputs.py OUT.npz FOLDER KIND...`, the same code on any machine.

FOLDER has KIND.rnnedge and KIND.npy, `uint8 [N, H, W]` or `[N, H, W, 3]`.
"""

import sys

import numpy as np

from rnnedge_device.bundle import read_bundle
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier
from rnnedge_device.clips import ClipModel

WORDS = (1, 4, 5, 6)  # what every caption's decoder is led along


def outputs(path, frames):
    """By form, `[N, K]` in the border's dtype."""
    bundle = read_bundle(path)
    manifest = bundle.manifest
    if manifest.task == "captions":
        captioner = Captioner(bundle)
        states = [captioner.encode(frame) for frame in frames]
        first = captioner.forms[0].outputs[0].name
        return {
            "encode": np.stack([state[first].ravel() for state in states]),
            "decode": np.concatenate([captioner.logits(state, list(WORDS)) for state in states]),
        }
    if manifest.task == "clips":
        model = ClipModel(bundle)
        stream, view = model.open_stream(), model.preprocess.view()
        pixels = [view.pixels(frame) for frame in frames]
        return {"step": np.stack([stream.step(one).raw for one in pixels])}
    return {
        form.name: np.stack([classifier.predict(frame).raw for frame in frames])
        for form in manifest.forms
        if form.output("y").dtype == "int8"
        for classifier in [Classifier(bundle, form.name)]
    }


if __name__ == "__main__":
    out, folder, *kinds = sys.argv[1:]
    found = {}
    for kind in kinds:
        made = outputs(f"{folder}/{kind}.rnnedge", np.load(f"{folder}/{kind}.npy"))
        found |= {f"{kind}/{form}": y for form, y in made.items()}
    np.savez(out, **found)
