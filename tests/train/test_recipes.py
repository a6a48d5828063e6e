"""Recipes: the packaged ones build, bad ones are refused by key, value and what is allowed."""

import pytest

from rnnedge.recipes import list_recipes, load_recipe, write_recipe
from rnnedge.training.loop import build_model
from rnnedge_device.errors import InputError

PACKAGED = sorted(list_recipes())
ISSUE = {"digits-lstm", "row-lstm", "row-gru", "row-rnn", "row-best", "pixels-irnn", "cifar-crnn", "folder"}


def test_packaged_recipes_are_listed_with_a_description():
    listed = list_recipes()
    assert set(listed) >= ISSUE
    assert all(listed.values())


@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_recipe_builds_its_model(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    model = build_model(recipe, 10)
    assert tuple(model.input_shape[1:]) == recipe.preprocess().shape
    assert model.output_shape == (None, 10)
    assert model.get_layer("logits").activation.__name__ == "linear"


@pytest.mark.parametrize("name", PACKAGED)
def test_written_recipes_read_back_the_same(name, tmp_path):
    recipe = load_recipe(name, ["data.mean=[0.5]", "data.std=[0.25]", "data.group='a\"(\\d+)é😀'"])
    write_recipe(recipe, tmp_path / "recipe.toml")
    assert load_recipe(tmp_path / "recipe.toml") == recipe


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
    ],
)
def test_bad_values_are_named(override, words):
    with pytest.raises(InputError) as error:
        load_recipe("row-lstm", [override])
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
