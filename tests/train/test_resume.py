"""An interrupted training goes on at the same step and ends with the same bits."""

import signal

import numpy as np
import pytest
from tiny import STEPS, history, python, tiny

from rnnedge.models import load_model
from rnnedge.training import train
from rnnedge.training.checkpoint import read_progress
from rnnedge.training.progress import ProgressBar
from rnnedge_device.errors import InputError


class StopAt(ProgressBar):
    """Interrupts after a number of steps, as Ctrl-C would; remembers what was said."""

    def __init__(self, step=None):
        super().__init__(quiet=True)
        self.left, self.said = step, []

    def step(self, loss=None):
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        super().step(loss)

    def say(self, text):
        self.said.append(text)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The training that nothing interrupts."""
    out = tmp_path_factory.mktemp("whole")
    train(tiny(), out)
    return out


def last_weights(folder):
    """Every array of the last checkpoint: weights, dropout seeds, moments, step, metrics."""
    with np.load(folder / "checkpoint" / "last.npz") as archive:
        return {name: archive[name] for name in archive.files if name != "meta"}


def assert_same_training(folder, whole):
    found, expected = last_weights(folder), last_weights(whole)
    assert found.keys() == expected.keys()
    assert any("optimizer" in name for name in found)
    different = [name for name in expected if not np.array_equal(found[name], expected[name])]
    assert different == []
    assert history(folder) == history(whole)
    models = [load_model(f / "model.keras").get_weights() for f in (folder, whole)]
    assert all(np.array_equal(a, b) for a, b in zip(*models, strict=True))


@pytest.mark.parametrize(
    ("step", "epoch", "batch"),
    [
        (3, 0, 0),  # before the first step checkpoint: from the beginning
        (STEPS + 10, 1, 7),  # in the second epoch, between two checkpoints
        (2 * STEPS + 1, 2, 0),  # just after an epoch's end
    ],
)
def test_interrupted_and_resumed_is_bit_for_bit_uninterrupted(tmp_path, whole, step, epoch, batch):
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), tmp_path, bar=StopAt(step))
    stopped = read_progress(tmp_path / "checkpoint" / "last.npz")
    assert (stopped.epoch, stopped.batch) == (epoch, batch)
    bar = StopAt()
    result = train(tiny(), tmp_path, resume=True, bar=bar)
    assert bar.said[0] == f"resuming at epoch {epoch + 1}, batch {batch} of {STEPS}"
    assert result.steps == 3 * STEPS
    assert_same_training(tmp_path, whole)


def test_interrupted_twice(tmp_path, whole):
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), tmp_path, bar=StopAt(STEPS + 15))
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), tmp_path, resume=True, bar=StopAt(4))
    assert read_progress(tmp_path / "checkpoint" / "last.npz").batch == 14
    train(tiny(), tmp_path, resume=True)
    assert_same_training(tmp_path, whole)


KILLED = """
    import os, pathlib, signal, sys
    from tiny import tiny
    from rnnedge.training import train
    from rnnedge.training.progress import ProgressBar

    class Kill(ProgressBar):
        left = 34
        def step(self, loss=None):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    train(tiny(), pathlib.Path(sys.argv[1]), bar=Kill(quiet=True))
"""


def test_killed_in_the_middle_of_an_epoch(tmp_path, whole):
    done = python(KILLED, tmp_path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    stopped = read_progress(tmp_path / "checkpoint" / "last.npz")
    assert (stopped.epoch, stopped.batch) == (1, 14)  # 34 steps were done, 19 + 14 of them are kept
    assert not (tmp_path / "train.json").exists()
    train(tiny(), tmp_path, resume=True)
    assert_same_training(tmp_path, whole)


def test_another_seed_is_another_training(tmp_path, whole):
    # The comparison above can fail.
    train(tiny("train.seed=1"), tmp_path)
    with pytest.raises(AssertionError):
        assert_same_training(tmp_path, whole)


def test_resume_without_a_checkpoint(tmp_path):
    with pytest.raises(InputError, match=r"--resume: .* holds no checkpoint"):
        train(tiny(), tmp_path, resume=True)


def test_resume_with_another_recipe_names_what_changed(whole):
    other = tiny("train.epochs=5", "model.units=13", "quantize.epochs=1")
    with pytest.raises(InputError) as error:
        train(other, whole, resume=True)
    assert "train.epochs was 3, now 5" in str(error.value)
    assert "model.units was 12, now 13" in str(error.value)
    assert "quantize" not in str(error.value)  # what comes after training may change


def test_a_damaged_checkpoint_is_one_clear_error(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), tmp_path, bar=StopAt(10))
    path = tmp_path / "checkpoint" / "last.npz"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"last\.npz: is not a checkpoint"):
        train(tiny(), tmp_path, resume=True)
