"""What a fixed camera's frames have that the empty room has not: found exactly, whatever the light does."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tiny_clips import CLIP, CUT

from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.foreground import Foreground, Room
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.source import Frame

SPEC = Foreground(learn=3, detail=4)
H, W = 24, 32
EMPTY = np.add.outer(np.arange(H) * 3, np.arange(W) * 2).astype(np.uint8) + 60
WHOLE = 255


def with_person(row: int, column: int, side: int = 8, shade: int = 20) -> np.ndarray:
    """The room with a dark square in it."""
    frame = EMPTY.copy()
    frame[row : row + side, column : column + side] = shade
    return frame


def learned(spec: Foreground = SPEC, stride: int = 1) -> Room:
    """A room that has seen itself empty."""
    room = Room(spec, stride)
    for _ in range(spec.learn):
        room.look(EMPTY)
    return room


def test_an_empty_room_has_neither_foreground_nor_motion():
    room = Room(SPEC)
    for _ in range(6):
        seen = room.look(EMPTY)
        assert seen.shape == (6, 8, 2)
        assert seen.dtype == np.uint8
        assert not seen.any()


def test_who_comes_in_is_foreground_and_who_stands_still_no_motion():
    room = learned()
    came, stood = room.look(with_person(8, 12)), room.look(with_person(8, 12))
    expected = np.zeros((6, 8), np.uint8)
    expected[2:4, 3:5] = WHOLE
    assert np.array_equal(came[..., 0], expected)
    assert np.array_equal(came[..., 1], expected)
    assert np.array_equal(stood[..., 0], expected)
    assert not stood[..., 1].any()
    left = room.look(EMPTY)
    assert not left[..., 0].any()
    assert np.array_equal(left[..., 1], expected)


def test_a_pixel_tells_its_share():
    seen = learned().look(with_person(8, 14))[..., 0]  # half a model's pixel to the right
    assert seen[2].tolist() == [0, 0, 0, 128, WHOLE, 128, 0, 0]


@pytest.mark.parametrize("light", [0.8, 1.25])
def test_another_light_is_no_foreground(light):
    room = learned()
    changed = np.clip(EMPTY * light, 0, 255).astype(np.uint8)
    assert not room.look(changed)[..., 0].any()
    person = np.clip(with_person(8, 12) * light, 0, 255).astype(np.uint8)
    assert room.look(person)[2:4, 3:5, 0].min() == WHOLE


def test_a_lone_pixel_is_noise():
    frame = EMPTY.copy()
    frame[10, 10] = frame[17, 3] = 255
    assert not learned().look(frame)[..., 0].any()


def test_noise_in_the_dark_is_no_foreground():
    dark = np.zeros((H, W), np.uint8)
    room = Room(SPEC)
    random = np.random.default_rng(0)
    for _ in range(10):
        assert not room.look(dark + random.integers(0, 5, (H, W), np.uint8))[..., 0].any()


def test_the_room_is_what_its_first_frames_have_in_common():
    room = Room(SPEC)
    for column in (0, 8, 16):  # somebody walks through while it is learned
        room.look(with_person(8, column))
    assert not room.look(EMPTY)[..., 0].any()


def test_who_stays_stays_foreground_unless_the_room_drifts():
    still, drifting = learned(), learned(replace(SPEC, drift=8.0))
    person = with_person(8, 12)
    for _ in range(30):
        kept, faded = still.look(person), drifting.look(person)
    assert kept[2:4, 3:5, 0].min() == WHOLE
    assert not faded[..., 0].any()


def test_a_slow_drift_adds_up():
    """0.05 grey levels a frame are rounded nowhere: after 2,000 frames they are 100."""
    room = learned(replace(SPEC, drift=0.05))
    brighter = EMPTY.copy()
    brighter[:, : W // 4] = 255
    assert room.look(brighter)[..., 0].any()
    for _ in range(4000):
        seen = room.look(brighter)
    assert not seen[..., 0].any()


def test_frames_between_two_steps_change_nothing_for_the_steps():
    """Training looks at the frames between, the device does not: both must see the same steps."""
    random = np.random.default_rng(1)
    film = [with_person(*random.integers(0, 16, 2)) for _ in range(31)]
    alone, among = Room(SPEC), Room(SPEC, stride=3)
    expected = [alone.look(frame) for frame in film[::3]]
    found = [among.look(frame, step=index % 3 == 0) for index, frame in enumerate(film)]
    assert np.array_equal(np.stack(expected), np.stack(found[::3]))
    # And one between is compared with the frame a whole step before it.
    last = among.look(film[-1], step=False)
    assert last[..., 1].any() == (film[-1] != film[-3]).any()


def test_a_pause_keeps_the_room_and_a_reset_does_not():
    person = with_person(8, 12)
    room = learned()
    room.pause()
    seen = room.look(person)
    assert seen[2:4, 3:5, 0].min() == WHOLE
    assert not seen[..., 1].any()  # nobody knows what moved while nothing was seen
    room.reset()
    fresh = Room(SPEC)
    for frame in (person, EMPTY, EMPTY, person):
        assert np.array_equal(room.look(frame), fresh.look(frame))


def test_pixels_follow_the_definition():
    """Against the formula written out pixel by pixel, in Python's own numbers."""
    random = np.random.default_rng(2)
    film = random.integers(0, 256, (6, 8, 8), dtype=np.uint8)
    spec = Foreground(learn=3, detail=2, threshold=0.5, motion=0.2, floor=10.0)
    room, before = Room(spec), None
    log = [round(math.log(grey + 10) * 1024) for grey in range(256)]
    for number, frame in enumerate(film):
        seen = room.look(frame)
        known = film[: min(number + 1, 3)]
        empty = [[sorted(known[:, y, x].tolist())[(len(known) - 1) // 2] for x in range(8)] for y in range(8)]
        bright = sorted(value for row in empty for value in row)[int(0.6 * 63)]
        change = [[log[frame[y, x]] - log[empty[y][x]] for x in range(8)] for y in range(8)]
        light = sorted(change[y][x] for y in range(8) for x in range(8) if empty[y][x] >= bright)
        change = [[value - light[len(light) // 2] for value in row] for row in change]
        moved = [
            [before is not None and abs(change[y][x] - before[y][x]) > round(0.2 * 1024) for x in range(8)]
            for y in range(8)
        ]
        for y in range(4):
            for x in range(4):
                count = sum(moved[2 * y + i][2 * x + j] for i in (0, 1) for j in (0, 1))
                assert seen[y, x, 1] == (count * 255 + 2) // 4
        before = change


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learn", 0),
        ("learn", 2.5),
        ("detail", 17),
        ("threshold", 0),
        ("motion", -1.0),
        ("floor", math.nan),
        ("drift", -0.1),
    ],
)
def test_a_value_out_of_its_range_is_named(name, value):
    with pytest.raises(InputError, match=name):
        Foreground(**{name: value})


def test_a_foreground_survives_its_way_through_json():
    preprocess = Preprocess((6, 8), foreground=Foreground(drift=0.25))
    assert Preprocess.from_dict(preprocess.to_dict()) == preprocess
    assert "foreground" not in Preprocess((6, 8)).to_dict()  # as bundles have been written so far
    for changed in ({"unknown": 1}, {"learn": "many"}):
        data = preprocess.to_dict()
        data["foreground"] |= changed
        with pytest.raises(InputError, match=next(iter(changed))):
            Preprocess.from_dict(data)


def test_only_a_view_of_frames_in_their_order_has_a_foreground():
    preprocess = Preprocess((6, 8), foreground=SPEC)
    assert preprocess.shape == (6, 8, 2)
    with pytest.raises(InputError, match="view"):
        preprocess.pixels(EMPTY)
    view, room = preprocess.view(), Room(SPEC)
    for frame in (EMPTY, with_person(8, 12), with_person(8, 16)):
        found = view.pixels(np.repeat(frame[..., None], 3, axis=2))
        assert np.array_equal(found, room.look(frame))
    for other in ({"color": "rgb"}, {"invert": True}):
        with pytest.raises(InputError, match="foreground"):
            replace(preprocess, **other)


def test_a_bundle_with_a_foreground_is_a_fixed_cameras(tiny_clips):
    manifest = tiny_clips.manifest()
    preprocess = replace(manifest.preprocess, foreground=SPEC)
    form = manifest.form("step")
    assert form.input("x").shape == (1, 8, 8, 1)
    with pytest.raises(BundleError, match="must be"):  # the model must have its two channels
        replace(manifest, preprocess=preprocess)
    for clip in (replace(CLIP, scene_cut=CUT),):
        with pytest.raises(BundleError, match="foreground"):
            Manifest(
                name="x",
                task="clips",
                labels=manifest.labels,
                preprocess=preprocess,
                forms=tuple(_two_channels(form) for form in manifest.forms),
                clip=clip,
            )


def _two_channels(form):
    x = form.input("x")
    inputs = tuple(replace(t, shape=(*t.shape[:-1], 2)) if t == x else t for t in form.inputs)
    return replace(form, inputs=inputs)


class Watched:
    """An engine that remembers what it was shown, and a state that counts its steps."""

    def __init__(self):
        self.shown = []

    def run(self, feeds):
        self.shown.append(feeds["x"][0])
        passed = {f"{name}_next": value for name, value in feeds.items() if name != "x"}
        return {**passed, "y": np.zeros((1, 3), np.float32)}


def watched(tiny_clips, spec=SPEC, **clip):
    """A clip model of 8x8 with that foreground, and what its engine is shown."""
    preprocess = Preprocess((8, 8), scale=1.0, foreground=spec)
    forms = tuple(_two_channels(form) for form in tiny_clips.manifest().forms)
    manifest = tiny_clips.manifest(preprocess=preprocess, forms=forms, clip=replace(CLIP, **clip))
    engine = Watched()
    return ClipModel.of(engine, forms[0], manifest), engine


def film(count: int, start_ms: float = 0.0) -> list[Frame]:
    """Somebody walks through a room of 32x32 at the model's rate; the room is empty at first."""
    empty = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8) + 90
    frames = []
    for index in range(count):
        image = empty.copy()
        if index >= SPEC.learn:
            image[8:16, 2 * index : 2 * index + 8] = 10
        frames.append(Frame(image, index, start_ms + index * 1000 / CLIP.rate))
    return frames


def expected(frames: list[Frame], room: Room | None = None) -> list[np.ndarray]:
    room = room or Room(SPEC)
    return [room.look(frame.image).astype(np.float32) for frame in frames]


def test_two_streams_learn_rooms_of_their_own(tiny_clips):
    model, engine = watched(tiny_clips)
    door, hall = model.open_stream("door"), model.open_stream("hall")
    ours, theirs = film(9), [replace(f, image=255 - f.image) for f in film(9)]
    for one, other in zip(ours, theirs, strict=True):
        door.feed(one)
        hall.feed(other)
    assert np.array_equal(engine.shown[::2], expected(ours))
    assert np.array_equal(engine.shown[1::2], expected(theirs))


def test_a_gap_keeps_the_room_and_a_reset_stream_is_a_fresh_one(tiny_clips):
    model, engine = watched(tiny_clips)
    stream, frames = model.open_stream(), film(9)
    for frame in frames:
        stream.feed(frame)
    late = film(9, start_ms=60_000.0)[5:]
    for frame in late:
        stream.feed(frame)
    assert stream.resets["gap"] == 1
    room = Room(SPEC)
    expected(frames, room)
    room.pause()
    assert np.array_equal(engine.shown[9:], expected(late, room))
    engine.shown.clear()
    stream.reset()
    for frame in film(9, start_ms=70_000.0):
        stream.feed(frame)
    assert np.array_equal(engine.shown, expected(frames))


@pytest.mark.parametrize("spec", [SPEC, replace(SPEC, threshold=0.5)])
def test_the_room_is_handed_over_with_the_states_or_neither_is(tiny_clips, spec):
    (model, _), (other, engine) = watched(tiny_clips), watched(tiny_clips, spec)
    old, new = model.open_stream(), other.open_stream()
    frames = film(9)
    for frame in frames[:5]:
        old.feed(frame)
    assert new.take_over(old) == (spec == SPEC)
    for frame in frames[5:]:
        new.feed(frame)
    if spec == SPEC:
        assert np.array_equal(engine.shown, expected(frames)[5:])
    else:
        assert np.array_equal(engine.shown, expected(frames[5:], Room(spec)))


def test_the_room_goes_over_without_the_states(tiny_clips):
    """Of another model that sees the same: its memory begins anew, in a room that is known."""
    (model, _), (other, engine) = watched(tiny_clips), watched(tiny_clips)
    state = replace(other.form.states[0], reset=other.form.states[0].reset + 0.25)
    other.form = replace(other.form, states=(state, *other.form.states[1:]))
    old, new = model.open_stream(), other.open_stream()
    frames = film(9)
    for frame in frames[:5]:
        old.feed(frame)
    assert not new.take_over(old)
    found = [prediction for frame in frames[5:] for prediction in new.feed(frame)]
    assert found[0].reset == "swap"
    room = Room(SPEC)
    expected(frames[:5], room)
    room.pause()
    assert np.array_equal(engine.shown, expected(frames[5:], room))
