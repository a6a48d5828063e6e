"""A bundle's trial: read, self-test, time. It may crash or hang the process it runs in, see `Checker`."""

from typing import Any

from rnnedge_device.bundle import read_bundle
from rnnedge_device.choice import chosen_form
from rnnedge_device.errors import BundleError
from rnnedge_device.selftest import self_test
from rnnedge_device.signature import PublicKey
from rnnedge_device.timing import summary, time_forms


def try_bundle(
    path: str, key: PublicKey | None = None, form: str | None = None, threads: int = 1, task: str = ""
) -> dict[str, Any]:
    """Everything that can be found out about a bundle before it is let near a live camera.

    Args:
        key: it must be signed with it.
        form: to test and time; None: all that have golden outputs are tested, the default is timed; `auto`: the one
            that the installer has chosen.
        task: it must be of this task; "" for any.

    Returns:
        `{"sha256", "task", "selftest", "latency_us": {"median", "best", "calls"}}`, JSON-ready; the latency is
        the interpreter's: an image's, a step's, or a whole caption's.

    Raises:
        BundleError: whatever is wrong with it, a self-test that fails included.
    """
    bundle = read_bundle(path, key)
    manifest = bundle.manifest
    form = chosen_form(bundle, form)
    if task and manifest.task != task:
        raise BundleError(f"bundle {path!r}: task = {manifest.task!r}: must be {task}, as the one that runs")
    result = self_test(bundle, None if manifest.task == "captions" else form, threads)
    for tested in result["forms"]:
        if not tested["ok"]:
            gap = f"{tested['max_lsb']} LSB" if "max_lsb" in tested else f"{tested['max_abs']:.2g}"
            raise BundleError(
                f"bundle {path!r}: the self-test failed: form {tested['form']}: largest difference {gap}, "
                f"allowed {tested['allowed']:.2g}; {tested['agree']:.0%} of the labels agree"
            )
    return {
        "sha256": bundle.sha256,
        "task": manifest.task,
        "selftest": result,
        "latency_us": summary(time_forms(bundle, [form], threads)[0]),
    }
