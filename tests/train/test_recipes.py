"""Recipes: the packaged ones build, bad ones are refused by key, value and what is allowed."""

import json
import tomllib

import pytest

from rnnedge.recipes import list_recipes, load_recipe, recipe_text, write_recipe
from rnnedge.training.build import build_model
from rnnedge_device.errors import InputError

PACKAGED = sorted(list_recipes())
ISSUE = {"digits-lstm", "row-lstm", "row-gru", "row-rnn", "row-best", "pixels-irnn", "cifar-crnn", "folder"}
CLIPS = {"motion-rows", "motion-cnn", "videos", "videos-mobilenet", "events", "room-actions", "room-events"}
# Nothing is downloaded here.
CAPTIONS = {"shapes-attention", "flickr8k", "flickr8k-tuned"}
OFFLINE = {"videos-mobilenet": ["model.weights=''"], "flickr8k": ["model.weights=''"]}


def test_packaged_recipes_are_listed_with_a_description():
    listed = list_recipes()
    assert set(listed) >= ISSUE | CLIPS | CAPTIONS
    assert all(listed.values())


@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_recipe_builds_its_model(name):
    recipe = load_recipe(name, OFFLINE.get(name, []))
    assert recipe.name == name
    assert recipe.task == ("classify" if name in ISSUE else "captions" if name in CAPTIONS else "clips")
    model = build_model(recipe, 10)
    if name in CAPTIONS:
        shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
        assert shapes == [recipe.preprocess().shape, (None,)]
        assert model.output_shape == (None, None, 10)
        return
    time = () if name in ISSUE else (None,)
    assert tuple(model.input_shape[1:]) == (*time, *recipe.preprocess().shape)
    assert model.output_shape == (None, *time, 10)
    assert model.get_layer("logits").activation.__name__ == "linear"


@pytest.mark.parametrize("name", PACKAGED)
def test_written_recipes_read_back_the_same(name, tmp_path):
    recipe = load_recipe(name, ["data.mean=[0.5]", "data.std=[0.25]", "data.group='a\"(\\d+)é😀'"])
    write_recipe(recipe, tmp_path / "recipe.toml")
    assert load_recipe(tmp_path / "recipe.toml") == recipe


@pytest.mark.parametrize("name", PACKAGED)
def test_a_recipe_says_nothing_of_other_tasks(name):
    values = tomllib.loads(recipe_text(load_recipe(name)))
    for_clips = {"classes", "folds", "reverse", "speed", "carry"}
    found = {key for section in values.values() if isinstance(section, dict) for key in section}
    assert ({"clip", "events"} <= set(values), for_clips <= found) == (name in CLIPS,) * 2
    assert name in CLIPS or not for_clips & found
    assert ("caption" in values, "label_smoothing" in found) == (name in CAPTIONS,) * 2


def test_tables_in_a_recipe_are_read_back(tmp_path):
    odd = 'sit\t"down" = [é😀]'
    classes = f"""data.classes={{ {json.dumps(odd, ensure_ascii=False)} = ['sit', "it's"], fall = [] }}"""
    tables = [classes, "data.folds=4", "data.fold=3"]
    recipe = load_recipe("events", [*tables, "augment.reverse.fall='rise'"])
    write_recipe(recipe, tmp_path / "recipe.toml")
    again = load_recipe(tmp_path / "recipe.toml")
    assert again == recipe
    assert again.data.classes == {odd: ["sit", "it's"], "fall": []}
    assert again.augment.reverse == {"fall": "rise"}


def test_a_model_without_a_kind_is_a_row_rnn(tmp_path):
    path = tmp_path / "old.toml"
    path.write_text('[data]\nname = "digits"\n[model]\ncell = "gru"\nunits = 9\n')
    recipe = load_recipe(path)
    assert (recipe.task, recipe.model.kind, recipe.model.units) == ("classify", "row_rnn", 9)
    path.write_text('[data]\nname = "motion"\n[model]\nkind = "clip_rnn"\n')
    assert (load_recipe(path).task, load_recipe(path).model.encoder) == ("clips", "cnn")
    path.write_text("")
    assert load_recipe(path).task == "classify"


def test_what_a_clip_recipe_gives_to_the_other_parts():
    changes = ["clip.fps=12.5", "clip.stride=2", "clip.max_gap_ms=700", "events.on=0.7", "augment.speed=0.2"]
    recipe = load_recipe("events", [*changes, "augment.reverse={a='b'}", "augment.flip=true"])
    options, spec = recipe.clip.options(), recipe.clip_spec()
    assert (options.rate, options.length, options.head, options.background) == (
        6.25,
        64,
        "every",
        "background",
    )
    assert (spec.rate, spec.max_gap_ms, spec.events.on, spec.scene_cut) == (6.25, 700, 0.7, None)
    changes = recipe.clip_augmentation()
    assert (changes.flip, changes.speed, dict(changes.reverse)) == (True, 0.2, {"a": "b"})
    assert changes.image == recipe.augmentation()


def test_weights_follow_the_seed():
    def first(seed):
        return build_model(load_recipe("digits-lstm", [f"train.seed={seed}"]), 10).get_weights()[0]

    assert (first(3) == first(3)).all()
    assert (first(3) != first(4)).any()


def test_overrides():
    recipe = load_recipe(
        "row-lstm", ["model.cell=gru", "train.epochs=3", 'model.stem=[8, "pool"]', "augment.shift=0.5"]
    )
    assert recipe.model.cell == "gru"
    assert recipe.train.epochs == 3
    assert recipe.model.stem == [8, "pool"]
    assert recipe.augment.shift == 0.5
    assert recipe.model.units == 128  # the recipe's own value stays


def test_quantize_section_is_typed():
    quantize = load_recipe("digits-lstm", ["quantize.form=loop", "quantize.io=float32"]).quantize
    assert (quantize.form, quantize.io) == ("loop", "float32")
    assert isinstance(quantize.epochs, int)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.epoch=5", ["train.epoch", "5", "epochs", "batch_size"]),
        ("trian.epochs=5", ["trian", "train", "model"]),
        ("model.cel=lstm", ["model.cel", "'lstm'", "cell"]),
        ("train.epochs=many", ["train.epochs='many'", "integer"]),
        ("train.epochs='5'", ["train.epochs='5'", "integer"]),
        ("train.epochs=0", ["train.epochs=0", "1"]),
        ("train.learning_rate=-1.0", ["train.learning_rate=-1.0", "greater than 0"]),
        ("train.optimizer=lion", ["train.optimizer='lion'", "'adamw'", "'rmsprop'"]),
        ("train.clip=5", ["train.clip=5", "'value'"]),
        ("model.cell=rnn", ["model.cell='rnn'", "'simple_rnn'"]),
        ("model.bidirectional=1", ["model.bidirectional=1", "bool"]),
        ("model.stem=[8, 'max']", ["model.stem", "'max'", "'pool'"]),
        ("data.size=[28]", ["data.size=[28]", "2 items"]),
        ("data.size=[28, 0]", ["data.size", "0"]),
        ("data.color=rgba", ["data.color='rgba'", "'gray'", "'rgb'"]),
        ("data.mean=[0.1, 0.2]", ["mean", "0.2"]),
        ("augment.shift=2.0", ["augment.shift=2.0", "1"]),
        ("quantize.form=fast", ["quantize.form='fast'", "'unrolled'"]),
        ("train=3", ["train", "3"]),
        ("train.epochs", ["train.epochs", "section.key=value"]),
        ("=3", ["=3", "section.key=value"]),
        ("name.x=3", ["name.x=3", "not a section"]),
        ("model.kind=cnn", ["model.kind='cnn'", "row_rnn, clip_rnn"]),
        ("model.kind=[1]", ["model.kind=[1]", "row_rnn, clip_rnn"]),
        ("model.filters=[8]", ["unknown key 'model.filters'", "rows_per_step"]),
        ("clip.length=5", ["clip.length=5", "model.kind='clip_rnn'", "'row_rnn'"]),
        ("events.tune=true", ["events.tune=True", "clip_rnn"]),
        ("data.classes={a=['b']}", ["data.classes={'a': ['b']}", "clip_rnn"]),
        ("augment.speed=0.2", ["augment.speed=0.2", "clip_rnn"]),
        ("train.carry=true", ["train.carry=True", "clip_rnn"]),
        ("train.keep=first", ["train.keep='first'", "'best' or 'last'"]),
        ("train.class_weight=balance", ["train.class_weight='balance'", "'balanced'"]),
    ],
)
def test_bad_values_are_named(override, words):
    refused("row-lstm", [override], words)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.unit=5", ["unknown key 'model.unit' (value 5)", "encoder_units", "filters"]),
        ("model.stem=[8]", ["unknown key 'model.stem'", "encoder"]),
        ("model.encoder=resnet", ["model.encoder='resnet'", "'mobilenet_v2'"]),
        ("model.units=0", ["model.units=0", "1"]),
        ("model.filters=[]", ["model.filters=[]", "1 item"]),
        ("clip.fps=0", ["clip.fps=0", "greater than 0"]),
        ("foreground.lern=3", ["unknown key 'foreground.lern'", "learn"]),
        ("foreground.learn=5000", ["learn = 5000", "1000"]),
        ("foreground.learn=9", ["foreground.learn=9", "clip.scene_cut=True"]),
        ("clip.lead_ms=-1", ["clip.lead_ms=-1"]),
        ("clip.head=first", ["clip.head='first'", "'every'"]),
        ("clip.lenght=5", ["unknown key 'clip.lenght'", "length", "max_gap_ms"]),
        ("data.classes=[1]", ["data.classes=[1]", "dict"]),
        ("data.classes={a='b'}", ["data.classes='b'", "list"]),
        ("data.fold=4", ["data.fold=4", "data.folds=0"]),
        ("data.folds=1", ["data.folds=1", "2 or more"]),
        ("events.on=0.3", ["on = 0.3", "off = 0.4"]),
        ("augment.jitter=2", ["augment.jitter=2", "1"]),
        ("augment.reverse={a=1}", ["augment.reverse=1", "string"]),
        ("data.equalize=1", ["data.equalize=1", "bool"]),
    ],
)
def test_bad_values_of_clips_are_named(override, words):
    refused("motion-rows", [override], words)


def refused(recipe, overrides, words):
    with pytest.raises(InputError) as error:
        load_recipe(recipe, overrides)
    for word in words:
        assert word in str(error.value), str(error.value)


def test_unknown_key_in_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[train]\nepochs = 3\nlearningrate = 0.1\n[data]\nname = "digits"\n')
    with pytest.raises(
        InputError, match=r"unknown key 'train\.learningrate' \(value 0\.1\); allowed: .*learning_rate"
    ):
        load_recipe(path)
    path.write_text("epochs = = 3")
    with pytest.raises(InputError, match="is not TOML"):
        load_recipe(path)


def test_unknown_name_lists_the_recipes():
    with pytest.raises(InputError, match=r"'row-lstn'.*digits-lstm.*row-lstm"):
        load_recipe("row-lstn")
