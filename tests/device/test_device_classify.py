"""The classifier: right labels, the same answer from every form, states carried and reset."""

from dataclasses import replace

import numpy as np
import pytest

from rnnedge_device.bundle import Bundle, read_bundle
from rnnedge_device.classify import Classifier
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.interpreter import load_model
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.stepper import RowStepper
from rnnedge_device.tensors import State

# The tiny model's forms compute the same int8 operations in the same order: not one LSB between them.
MAX_LSB_LOOP_STEP = 0


@pytest.fixture(scope="module")
def bundle(bundle_path):
    return read_bundle(bundle_path)


def answers(classifier, images):
    return [classifier.predict(image) for image in images]


@pytest.mark.parametrize("form", ["loop", "step", "fused"])
def test_it_reads_held_out_digits(bundle, tiny, form):
    found = answers(Classifier(bundle, form), tiny.images)
    right = np.mean([answer.index == label for answer, label in zip(found, tiny.labels, strict=True)])
    best = tiny.float_y.argmax(axis=1)
    same_as_float = np.mean([answer.index == index for answer, index in zip(found, best, strict=True)])
    assert right >= 0.88
    assert same_as_float >= 0.97


def test_the_step_form_equals_the_whole_form(bundle, tiny):
    whole, steps = Classifier(bundle, "loop"), Classifier(bundle, "step")
    images = [*tiny.images, *np.random.default_rng(6).integers(0, 256, (200, 8, 8), np.uint8)]
    pairs = zip(answers(whole, images), answers(steps, images), strict=True)
    gaps = [np.abs(a.raw.astype(int) - b.raw.astype(int)).max() for a, b in pairs]
    assert len(gaps) > 500
    assert max(gaps) <= MAX_LSB_LOOP_STEP


def test_the_fused_form_forgets_the_frame_before(bundle, tiny):
    classifier = Classifier(bundle, "fused")
    found = np.stack([answer.raw for answer in answers(classifier, tiny.images[:50])])
    assert np.abs(found - tiny.float_y[:50]).max() < 1e-4


def test_the_default_form_is_the_first(bundle):
    assert Classifier(bundle).form.name == "loop"
    with pytest.raises(BundleError, match="'unrolled': this bundle has loop, step, fused"):
        Classifier(bundle, "unrolled")


@pytest.mark.parametrize("form", ["loop", "step", "fused"])
def test_raw_of_a_batch_equals_predicting_one_by_one(bundle, tiny, form):
    classifier = Classifier(bundle, form)
    batch = np.stack([tiny.preprocess(image) for image in tiny.images[:20]])
    raw = classifier.raw(batch)
    assert raw.dtype.name == classifier.form.output("y").dtype
    assert (raw == np.stack([answer.raw for answer in answers(classifier, tiny.images[:20])])).all()
    assert (classifier.scores(raw)[3] == classifier.predict(tiny.images[3]).scores).all()
    with pytest.raises(InputError, match=r"batch: shape \(20, 8, 8\)"):
        classifier.raw(batch[..., 0])


def test_the_fields_of_a_prediction_fit_each_other(bundle, tiny):
    classifier = Classifier(bundle)
    found = classifier.predict(tiny.images[0])
    assert found.label == bundle.manifest.labels[found.index]
    assert found.index == found.raw.argmax() == found.scores.argmax()
    assert found.score == pytest.approx(found.scores[found.index])
    y = classifier.form.output("y")
    logits = (found.raw.astype(np.float64) - y.zero_point) * y.scale
    assert found.scores == pytest.approx(np.exp(logits) / np.exp(logits).sum(), abs=1e-5)
    assert 0 < found.latency_us < found.total_us


def test_outputs_that_are_probabilities_are_taken_as_they_are(tiny):
    bundle = Bundle(tiny.manifest("loop", output="probabilities"), tiny.members("loop"))
    classifier = Classifier(bundle)
    found = classifier.predict(tiny.images[0])
    assert (found.scores == classifier.form.output("y").decode(found.raw)).all()


def test_frames_of_any_size_and_colour(bundle, tiny):
    classifier = Classifier(bundle)
    image = tiny.images[2]
    large = np.kron(image, np.ones((10, 10), np.uint8))
    colour = np.repeat(large[:, :, None], 3, axis=2)
    expected = classifier.predict(image).raw
    assert (classifier.predict(large).raw == expected).all()
    assert (classifier.predict(colour).raw == expected).all()
    with pytest.raises(InputError, match="image: float64"):
        classifier.predict(image / 255)


def test_a_float_border_gives_the_same_answer(tiny):
    form = tiny.form("loop", model="float_border")
    inside = Classifier(Bundle(tiny.manifest(forms=(form,)), {form.file: tiny.models["float_border"]}))
    border = Classifier(Bundle(tiny.manifest("loop"), tiny.members("loop")))
    y = border.form.output("y")
    for image in tiny.images[:40]:
        found = inside.predict(image)
        assert found.raw.dtype == np.float32
        assert (found.raw == y.decode(border.predict(image).raw)).all()


def test_two_signatures_of_one_file(tiny, bundle):
    forms = tuple(
        replace(tiny.form(name, model="both", signature=signature), file="model.tflite")
        for name, signature in (("loop", "serve"), ("step", "step"))
    )
    both = Bundle(tiny.manifest(forms=forms), {"model.tflite": tiny.models["both"]})
    for form in ("loop", "step"):
        mine, other = Classifier(both, form), Classifier(bundle, form)
        for image in tiny.images[:20]:
            assert (mine.predict(image).raw == other.predict(image).raw).all()


@pytest.mark.parametrize("change", [{"scale": 0.004}, {"zero_point": -127}, {"shape": (1, 64)}])
def test_a_manifest_that_differs_from_the_model_is_refused(tiny, change):
    form = tiny.form("loop")
    form = replace(form, inputs=(replace(form.inputs[0], **change),))
    with pytest.raises(BundleError, match=r"in the manifest, .* in the model"):
        Classifier(Bundle(tiny.manifest(forms=(form,)), tiny.members("loop")))


def test_a_manifest_that_names_other_tensors_is_refused(tiny):
    """The step model under the name of a whole form."""
    form = replace(tiny.form("loop"), file="model.step.tflite")
    with pytest.raises(BundleError, match=r"inputs \['x'\] in the manifest"):
        Classifier(Bundle(tiny.manifest(forms=(form,)), tiny.members("step")))


# --- the step loop -------------------------------------------------------------------------------------


@pytest.fixture
def stepper(tiny):
    return RowStepper(load_model(tiny.models["step"]), tiny.form("step"))


def rows(tiny, number):
    return tiny.preprocess(tiny.images[number])[..., 0]


def test_states_are_carried_from_step_to_step_byte_by_byte(tiny, stepper):
    """Against a loop that hands the states over itself."""
    model, form = load_model(tiny.models["step"]), tiny.form("step")
    h, c = (np.full((1, 24), form.input(name).zero_point, np.int8) for name in ("h0", "c0"))
    for row in rows(tiny, 0):
        found = model.run({"x": form.input("x").encode(row), "h0": h, "c0": c})
        assert (stepper.step(row) == found["y"]).all()
        h, c = found["h0_next"], found["c0_next"]
        assert (stepper.states["h0"] == h).all()
        assert (stepper.states["c0"] == c).all()
    assert h.any()


def test_the_answer_depends_on_the_rows_before(tiny, stepper):
    *_, last = rows(tiny, 0)
    for row in rows(tiny, 0):
        carried = stepper.step(row)
    stepper.reset()
    assert (stepper.step(last) != carried).any()


def test_reset_begins_anew(tiny, stepper):
    first = [stepper.step(row) for row in rows(tiny, 1)]
    unreset = stepper.step(rows(tiny, 1)[0])
    assert (unreset != first[0]).any()
    stepper.reset()
    assert all((stepper.step(row) == y).all() for row, y in zip(rows(tiny, 1), first, strict=True))


def test_a_reset_value_is_a_real_number_in_the_scale_of_its_state(tiny):
    states = (State("h0", "h0_next", reset=0.5), State("c0", "c0_next", reset=-2.0))
    form = replace(tiny.form("step"), states=states)
    stepper = RowStepper(load_model(tiny.models["step"]), form)
    for name, real in (("h0", 0.5), ("c0", -2.0)):
        assert (stepper.states[name] == round(real / form.input(name).scale)).all()
    plain = RowStepper(load_model(tiny.models["step"]), tiny.form("step"))
    assert (stepper.step(rows(tiny, 0)[0]) != plain.step(rows(tiny, 0)[0])).any()


def test_a_scan_by_columns_reads_columns(tiny, bundle):
    """The step form told to scan by columns gives, on a turned image, what the rows gave."""
    columns = [["transpose", [1, 0, 2]], ["reshape", [8, 8]]]
    scan = type(tiny.form("step").scan).from_list(columns, "test")
    turned = Bundle(tiny.manifest(forms=(replace(tiny.form("step"), scan=scan),)), tiny.members("step"))
    by_columns, by_rows = Classifier(turned), Classifier(bundle, "step")
    for image in tiny.images[:20]:
        assert (by_columns.predict(image.T).raw == by_rows.predict(image).raw).all()
        assert (by_columns.predict(image).raw != by_rows.predict(image).raw).any()


def test_a_colour_step_model_would_see_the_preprocessed_channels(tiny):
    """The scan folds channels into features in the order the preprocessing gives them."""
    scan = type(tiny.form("step").scan).from_list([["reshape", [4, 6]]], "test")
    image = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3)
    rows_of = scan(Preprocess((4, 2), "rgb", scale=1.0)(image))
    assert rows_of[1].tolist() == [8, 7, 6, 11, 10, 9]
