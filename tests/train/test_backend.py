"""The Keras backend: which is chosen, and training without TensorFlow."""

from tiny import python

BLOCKED = """
    import importlib.abc, sys

    class Block(importlib.abc.MetaPathFinder):
        tried = []
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("tensorflow", "tf_keras", "tensorflow_model_optimization"):
                self.tried.append(name)
                raise ImportError(f"{name} is blocked")

    sys.meta_path.insert(0, Block())
"""


def test_trains_and_resumes_on_jax_without_tensorflow(tmp_path):
    code = (
        BLOCKED
        + """
    import pathlib
    from tiny import history, tiny
    from rnnedge.backend import use_backend
    from rnnedge.models import load_model
    from rnnedge.training import train
    from test_resume import StopAt, assert_same_training

    assert use_backend() == "jax"
    out = pathlib.Path(sys.argv[1])
    sizes = ["train.epochs=4", "model.units=32"]
    result = train(tiny(*sizes), out / "whole")
    assert result.backend == "jax"
    assert result.val_accuracy > 0.5, result
    try:
        train(tiny(*sizes), out / "again", bar=StopAt(30))
    except KeyboardInterrupt:
        train(tiny(*sizes), out / "again", resume=True)
        assert_same_training(out / "again", out / "whole")
        print("same bits")
    train(tiny("train.epochs=1", "train.precision=mixed_bfloat16"), out / "mixed")
    assert not [name for name in sys.modules if name.split(".")[0] == "tensorflow"]
    print("done")
    """
    )
    done = python(code, tmp_path, KERAS_BACKEND="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["same bits", "done"]


def chosen(**env):
    code = "from rnnedge.backend import use_backend; print(use_backend())"
    return python(code, **env)


def test_the_environment_chooses():
    assert chosen(KERAS_BACKEND="jax").stdout == "jax\n"


def test_without_a_choice_the_first_installed_backend_is_taken():
    assert chosen(KERAS_BACKEND="").stdout in ("tensorflow\n", "jax\n", "torch\n")
    done = python(
        BLOCKED + "    from rnnedge.backend import use_backend; print(use_backend())", KERAS_BACKEND=""
    )
    assert done.stdout == "jax\n", done.stderr


def test_a_backend_that_is_not_installed_is_one_clear_error():
    code = (
        BLOCKED
        + """
    from rnnedge.backend import use_backend
    from rnnedge_device.errors import InputError
    try:
        use_backend("tensorflow")
    except InputError as error:
        print(error)
    """
    )
    done = python(code, KERAS_BACKEND="")
    assert "'tensorflow' is not installed" in done.stdout, done.stderr


def test_a_loaded_keras_keeps_its_backend():
    code = "import keras; from rnnedge.backend import use_backend; print(use_backend('tensorflow'))"
    assert python(code, KERAS_BACKEND="jax").stdout == "jax\n"
