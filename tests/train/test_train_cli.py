"""The command line: exit codes, --json, one message for bad input, help without heavy imports."""

import json

import pytest
from click.testing import CliRunner
from tiny import TINY, python

from rnnedge.cli import COMMANDS, main


def invoke(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def sets(*overrides):
    return [part for value in (*TINY, *overrides) for part in ("--set", value)]


def test_train_resume_evaluate(tmp_path):
    out = tmp_path / "run"
    done = invoke("train", "digits-lstm", *sets("train.epochs=2"), "--out", out, "--json")
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["epochs"] == 2
    assert figures["out"] == str(out)
    assert {p.name for p in out.iterdir()} == {
        "recipe.toml",
        "model.keras",
        "checkpoint",
        "history.csv",
        "tensorboard",
        "train.json",
    }
    again = invoke("train", "digits-lstm", *sets("train.epochs=2"), "--out", out)
    assert again.exit_code == 2
    assert "--resume" in again.stderr
    resumed = invoke("train", "digits-lstm", *sets("train.epochs=2"), "--out", out, "--resume", "--json")
    assert json.loads(resumed.stdout) == figures

    scored = invoke("evaluate", out / "model.keras", "--split", "val", "--json")
    assert scored.exit_code == 0, scored.output
    assert json.loads(scored.stdout)["accuracy"] == pytest.approx(figures["val_accuracy"])
    table = invoke("evaluate", out / "model.keras", "--data", "digits")
    assert "on 359 images (keras)" in table.stdout


def test_progress_goes_to_stderr(tmp_path):
    done = invoke("train", "digits-lstm", *sets("train.epochs=1"), "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "epoch 1/1  loss" in done.stderr
    assert "val accuracy" in done.stdout
    assert "epoch 1/1" not in done.stdout


def test_data_option_takes_any_path(tmp_path):
    odd = tmp_path / "it's [mine], 1=2 – é😀"
    done = invoke("train", "folder", "--data", f"folder:{odd}", "--out", tmp_path / "run")
    assert done.exit_code == 2
    assert f"data=folder:{odd}: is not a folder" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "no-such"], "is neither a file nor one of"),
        (["train", "digits-lstm", "--set", "train.epoch=1"], "unknown key 'train.epoch'"),
        (["train", "digits-lstm", "--set", "train.epochs=x"], "train.epochs='x'"),
        (["train", "digits-lstm", "--data", "imagenet"], "'imagenet'"),
        (["train", "digits-lstm", "--resume"], "holds no checkpoint"),
        (["train"], "RECIPE"),
        (["recipes", "no-such"], "is neither a file"),
        (["tarin"], "tarin"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "runs"])


def test_recipes(tmp_path):
    listed = invoke("recipes")
    assert listed.exit_code == 0
    assert "digits-lstm" in listed.stdout
    assert "row-best" in json.loads(invoke("recipes", "--json").stdout)
    assert json.loads(invoke("recipes", "row-gru", "--json").stdout)["model"]["cell"] == "gru"
    out = tmp_path / "mine.toml"
    assert invoke("recipes", "row-lstm", "--set", "train.epochs=7", "--out", out).exit_code == 0
    assert json.loads(invoke("recipes", out, "--json").stdout)["train"]["epochs"] == 7
    text = invoke("recipes", "row-lstm", "--set", "train.epochs=7").stdout
    assert text == out.read_text()


@pytest.mark.parametrize("command", ["train", "evaluate", "recipes"])
def test_every_command_has_help_with_an_example(command):
    done = invoke(command, "--help")
    assert done.exit_code == 0
    assert "Example:" in done.stdout
    assert f"rnnedge {command}" in done.stdout
    assert "--json" in done.stdout


def test_help_lists_the_commands_and_imports_nothing_heavy():
    code = """
    import sys
    from rnnedge.cli import main
    try:
        main(["--help"])
    except SystemExit as end:
        assert end.code == 0
    print([m for m in ("keras", "numpy", "cv2", "tensorflow", "jax", "pydantic", "rich") if m in sys.modules])
    """
    done = python(code)
    assert done.stdout.rstrip().endswith("[]"), done.stdout + done.stderr
    assert all(name in done.stdout for name in COMMANDS)


def test_a_disk_that_fills_is_one_message(tmp_path):
    code = """
    import resource, sys
    from rnnedge.cli import main
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))  # writes fail in their middle, as on a full disk
    main(sys.argv[1:])
    """
    done = python(code, "train", "digits-lstm", *sets("train.epochs=1"), "--out", tmp_path / "run")
    assert done.returncode == 2, done.stderr
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "run" / "checkpoint").iterdir()) == []


def test_ctrl_c_ends_with_130_and_can_be_resumed(tmp_path):
    code = """
    import os, signal, sys
    from rnnedge.cli import main
    from rnnedge.training.callbacks import ShowSteps

    class Interrupt(ShowSteps):
        count = 0
        def on_train_batch_end(self, batch, logs=None):
            Interrupt.count += 1
            if Interrupt.count == 10:
                os.kill(os.getpid(), signal.SIGINT)

    import rnnedge.training.loop
    rnnedge.training.loop.ShowSteps = Interrupt
    main(sys.argv[1:])
    """
    arguments = ["train", "digits-lstm", *sets("train.epochs=1"), "--out", tmp_path / "run"]
    done = python(code, *arguments)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    resumed = invoke(*arguments, "--resume", "--json")
    assert json.loads(resumed.stdout)["epochs"] == 1
