"""What bundles give for frames, raw: `outputs.py OUT.npz FOLDER NAME...`, the same code on any machine.

FOLDER has NAME.rnnedge and NAME.npy, `uint8 [N, H, W]` or `[N, H, W, 3]`; of a clip model NAME.starts.npy may say at
which frames its state is reset. A captioner's decoder is asked step by step from the states that the first machine to
run this has reached, which it leaves in NAME.steps.npz, and for whole sentences from its own.
"""

import os
import sys

import numpy as np

from rnnedge_device.bundle import read_bundle
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier
from rnnedge_device.clips import ClipModel
from rnnedge_device.vocabulary import END, START


def outputs(path, frames):
    """By form `[N, K]` in the border's dtype; of clips also `last`, what is said at each one's end, and of captions
    `sentence`, int16 `[N, T]` of word ids."""
    bundle = read_bundle(path)
    manifest = bundle.manifest
    name = os.path.splitext(path)[0]
    if manifest.task == "captions":
        return caption_outputs(Captioner(bundle), frames, f"{name}.steps.npz")
    if manifest.task == "clips":
        model = ClipModel(bundle)
        view, starts = model.preprocess.view(), [0]
        if os.path.exists(f"{name}.starts.npy"):
            starts = np.load(f"{name}.starts.npy").tolist()
        found = []
        for number, frame in enumerate(frames):
            if number in starts:
                stream = model.open_stream()
            found.append(stream.step(view.pixels(frame)).raw)
        return {
            "step": np.stack(found),
            "last": np.stack([found[at - 1] for at in [*starts[1:], len(found)]]),
        }
    return {
        form.name: np.stack([classifier.predict(frame).raw for frame in frames])
        for form in manifest.forms
        if form.output("y").dtype == "int8"
        for classifier in [Classifier(bundle, form.name)]
    }


def caption_outputs(captioner, frames, steps):
    encoded = [captioner.encode(frame) for frame in frames]
    reached = [walk(captioner, state) for state in encoded]
    sentence = np.zeros((len(frames), captioner.spec.max_length), np.int16)
    for row, walked in zip(sentence, reached, strict=True):
        row[: len(walked)] = [int(y.argmax()) for _, _, y in walked]
    if not os.path.exists(steps):
        flat = [(number, *step) for number, walked in enumerate(reached) for step in walked]
        kept = {key: np.stack([state[key] for state in encoded]) for key in encoded[0]}
        kept |= {f"at {key}": np.stack([state[key] for _, _, state, _ in flat]) for key in carried(captioner)}
        np.savez(steps, number=[step[0] for step in flat], token=[step[1] for step in flat], **kept)
    given = dict(np.load(steps))
    begun = [key for key in given if key in encoded[0]]
    decoded = []
    for step, (number, token) in enumerate(zip(given["number"], given["token"], strict=True)):
        state = {key: given[key][number] for key in begun}
        state |= {key: given[f"at {key}"][step] for key in carried(captioner)}
        decoded.append(captioner.feed(int(token), state)[0])
    every = [np.concatenate([value.ravel() for value in state.values()]) for state in encoded]
    return {"encode": np.stack(every), "decode": np.stack(decoded), "sentence": sentence}


def carried(captioner):
    """The states that a step hands to the next."""
    return [state.input for state in captioner.forms[1].states]


def walk(captioner, state):
    """A greedy sentence: `[(word read, state before, logits)]`."""
    found, token = [], START
    while len(found) < captioner.spec.max_length and token != END:
        y, after, _ = captioner.feed(token, state)
        found.append((token, state, y))
        token, state = int(y.argmax()), after
    return found


if __name__ == "__main__":
    out, folder, *names = sys.argv[1:]
    found = {}
    for name in names:
        made = outputs(f"{folder}/{name}.rnnedge", np.load(f"{folder}/{name}.npy"))
        found |= {f"{name}/{form}": y for form, y in made.items()}
    np.savez(out, **found)
