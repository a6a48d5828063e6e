"""``PerFrame``: one layer or model applied to every frame of a clip."""

from __future__ import annotations

from typing import Any

from rnnedge.backend import use_backend
from rnnedge_device.errors import InputError

use_backend()

import keras  # noqa: E402 - the backend is chosen first
from keras import ops  # noqa: E402


def _first_mask(inputs: Any, mask: Any = None) -> Any:
    return next((m for m in mask or () if m is not None), None)


@keras.saving.register_keras_serializable("rnnedge")
class PerFrame(keras.layers.TimeDistributed):
    """``[B, T, ...]`` to ``[B, T, F]``: time is folded into the batch, ``[B*T, ...]``, for one call of the layer.

    Keras's own ``TimeDistributed`` calls the layer T times. Both are the same function and hold the same weights;
    T may be unknown here.

    A call may have a ``mask`` bool ``[B, T]``, false at padding: normalisation layers inside take their statistics
    from the frames that it leaves. It goes no further, neither into a layer without normalisation inside nor to
    what follows: a causal model does not need it there.
    """

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        inside = layer._flatten_layers()
        self._normalises = any(isinstance(x, keras.layers.BatchNormalization) for x in inside)
        if self._normalises:
            if any(isinstance(x, keras.layers.RNN) for x in inside):
                raise InputError(
                    f"layer={layer.name!r}: has recurrent and normalisation layers; "
                    "a mask of frames would reach the former as one of time steps"
                )
            # Else Keras drops the mask at the first convolution, which knows nothing of masks.
            for x in inside:
                x.supports_masking = True
                if isinstance(x, keras.layers.Concatenate):
                    # Its own would join the masks as it joins the features; a frame's is the same for all of them.
                    x.compute_mask = _first_mask

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """See the class."""
        frames = ops.reshape(inputs, (-1, *inputs.shape[2:]))
        options: dict[str, Any] = {"training": training} if self.layer._call_has_training_arg else {}
        if mask is not None and self._normalises:
            # As many axes as a convolution's output without its channels; one valid frame is valid everywhere.
            options["mask"] = ops.reshape(mask, (-1, *[1] * (len(inputs.shape) - 3)))
        y = self.layer(frames, **options)
        return ops.reshape(y, (-1, ops.shape(inputs)[1], *y.shape[1:]))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """No mask leaves the layer."""
