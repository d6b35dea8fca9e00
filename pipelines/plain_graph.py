"""Functions that TensorFlow records as they stand, without AutoGraph rewriting their source first."""

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

_Function = TypeVar("_Function", bound=Callable[..., Any])


def as_written(function: _Function) -> _Function:
    """Keep AutoGraph out of a function and of everything that it calls, Keras' layers among it.

    AutoGraph turns ``if`` and ``for`` over tensors into graph operations, and to that end parses and rewrites every
    function it meets: a third of the time between the command and the first step. Nothing here branches on tensors in
    Python; a function that does must not be marked.
    """
    plain: _Function = tf.autograph.experimental.do_not_convert(function)
    return plain
