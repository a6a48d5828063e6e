"""``attended_lstm``: an LSTM that looks at an image before each word, on TensorFlow, with a gradient of its own."""

from __future__ import annotations

from typing import Any, NamedTuple


class Shared(NamedTuple):
    """What all steps of the loop read: of Keras's layers the weights, and the image.

    Attributes:
        features, keys: ``[B, P, E]`` and ``[B, P, A]``, of P places.
        query: ``[U, A]``, of the state before.
        energy: ``[A, 1]``.
        kernel, recurrent, bias: ``[E, 4U]``, ``[U, 4U]`` and ``[4U]``, the LSTM's gates in the order i, f, g, o.
    """

    features: Any
    keys: Any
    query: Any
    energy: Any
    kernel: Any
    recurrent: Any
    bias: Any


class _Step(NamedTuple):
    """What a step leaves for the gradient; of all steps a ``tf.TensorArray`` of each."""

    looks: Any  # [B, P, A], tanh of keys and query
    shares: Any  # [B, P], of the attention
    seen: Any  # [B, E]
    gates: Any  # [B, 4U]
    before: Any  # [B, U], the cell before
    curved: Any  # [B, U], tanh of the cell
    h: Any  # [B, U]


def attended_lstm(words: Any, asked: Any, h: Any, c: Any, shared: Shared) -> tuple[Any, Any]:
    """What each step of :class:`rnnedge.models.caption_decoder.CaptionDecoder` sees, and its output.

    TensorFlow would make the gradients of everything shared step by step and add them up, each as large as the weights
    or the image. Here all but the keys' are one product over all steps, behind the loop: a training step takes 0.86 to
    0.91 of the time (``benchmarks/training_step.py``).

    Args:
        words: ``[L, B, E]``, the words read.
        asked: ``[L, B, A]``, what each of them, and the bias, add to its query.
        h, c: ``[B, U]``, the initial states.
        shared: see there.

    Returns:
        ``[L, B, E]`` and ``[L, B, U]``.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def run(words: Any, asked: Any, h: Any, c: Any, *parts: Any) -> Any:
        shared = Shared(*parts)
        steps = _steps(words, asked, h, c, shared)
        seen, outputs = steps.seen.stack(), steps.h.stack()

        def gradient(of_seen: Any, of_outputs: Any) -> tuple[Any, ...]:
            before = tf.concat([h[None], outputs[:-1]], axis=0)
            return _gradient(shared, steps, words + seen, before, of_seen, of_outputs)

        return (seen, outputs), gradient

    return run(words, asked, h, c, *map(tf.convert_to_tensor, shared))  # of variables


def _steps(words: Any, asked: Any, h: Any, c: Any, shared: Shared) -> _Step:
    import tensorflow as tf

    length = tf.shape(words)[0]
    places, size = shared.keys.shape[1:]

    def step(t: Any, h: Any, c: Any, kept: _Step) -> tuple:
        query = tf.matmul(h, shared.query) + asked[t]
        looks = tf.tanh(shared.keys + query[:, None])
        energies = tf.matmul(tf.reshape(looks, (-1, size)), shared.energy)
        shares = tf.nn.softmax(tf.reshape(energies, (-1, places)))
        seen = tf.matmul(shares[:, None], shared.features)[:, 0]
        z = tf.matmul(words[t] + seen, shared.kernel) + tf.matmul(h, shared.recurrent) + shared.bias
        i, f, g, o = tf.split(z, 4, axis=-1)
        i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        after = f * c + i * g
        curved = tf.tanh(after)
        h = o * curved
        left = _Step(looks, shares, seen, tf.concat([i, f, g, o], axis=-1), c, curved, h)
        return t + 1, h, after, _Step(*(all_.write(t, one) for all_, one in zip(kept, left, strict=True)))

    empty = _Step(*(tf.TensorArray(words.dtype, length, clear_after_read=False) for _ in _Step._fields))
    return tf.while_loop(lambda t, *_: t < length, step, (0, h, c, empty))[-1]


def _gradient(
    shared: Shared, steps: _Step, inputs: Any, before: Any, of_seen: Any, of_outputs: Any
) -> tuple[Any, ...]:
    """Of ``attended_lstm``'s arguments, in their order.

    Args:
        shared, steps: of the loop.
        inputs, before: the LSTM's inputs ``[L, B, E]``, and each step's state before ``[L, B, U]``.
        of_seen, of_outputs: the gradients of what it returned.
    """
    import tensorflow as tf

    length = tf.shape(inputs)[0]
    places, size = shared.keys.shape[1:]
    of_tanh, of_sigmoid = tf.raw_ops.TanhGrad, tf.raw_ops.SigmoidGrad

    def step(t: Any, dh: Any, dc: Any, dkeys: Any, denergy: Any, kept: tuple) -> tuple:
        one = _Step(*(each.read(t) for each in steps))
        i, f, g, o = tf.split(one.gates, 4, axis=-1)
        dh += of_outputs[t]
        dc += of_tanh(y=one.curved, dy=dh * o)
        dz = [of_sigmoid(y=i, dy=dc * g), of_sigmoid(y=f, dy=dc * one.before)]
        dz += [of_tanh(y=g, dy=dc * i), of_sigmoid(y=o, dy=dh * one.curved)]
        dz = tf.concat(dz, axis=-1)
        dinput = tf.matmul(dz, shared.kernel, transpose_b=True)
        dseen = dinput + of_seen[t]
        dshares = tf.matmul(dseen[:, None], shared.features, transpose_b=True)[:, 0]
        denergies = one.shares * (dshares - tf.reduce_sum(one.shares * dshares, axis=-1, keepdims=True))
        denergies = tf.reshape(denergies, (-1, 1))
        dlooks = tf.reshape(tf.matmul(denergies, shared.energy, transpose_b=True), (-1, places, size))
        dlooks = of_tanh(y=one.looks, dy=dlooks)
        dquery = tf.reduce_sum(dlooks, axis=1)
        dh = tf.matmul(dz, shared.recurrent, transpose_b=True)
        dh += tf.matmul(dquery, shared.query, transpose_b=True)
        denergy += tf.matmul(tf.reshape(one.looks, (-1, size)), denergies, transpose_a=True)
        kept = tuple(all_.write(t, x) for all_, x in zip(kept, (dz, dinput, dseen, dquery), strict=True))
        return t - 1, dh, dc * f, dkeys + dlooks, denergy, kept

    zeros = [tf.zeros_like(x) for x in (before[0], before[0], shared.keys, shared.energy)]
    arrays = tuple(tf.TensorArray(inputs.dtype, length) for _ in range(4))
    _, dh, dc, dkeys, denergy, kept = tf.while_loop(lambda t, *_: t >= 0, step, (length - 1, *zeros, arrays))
    dz, dinput, dseen, dquery = (each.stack() for each in kept)
    # Of all steps as rows of one matrix.
    xs, hs, dzs, dqueries = (tf.reshape(each, (-1, each.shape[-1])) for each in (inputs, before, dz, dquery))
    of_shared = Shared(
        features=tf.matmul(tf.transpose(steps.shares.stack(), (1, 2, 0)), tf.transpose(dseen, (1, 0, 2))),
        keys=dkeys,
        query=tf.matmul(hs, dqueries, transpose_a=True),
        energy=denergy,
        kernel=tf.matmul(xs, dzs, transpose_a=True),
        recurrent=tf.matmul(hs, dzs, transpose_a=True),
        bias=tf.reduce_sum(dzs, axis=0),
    )
    return dinput, dquery, dh, dc, *of_shared
