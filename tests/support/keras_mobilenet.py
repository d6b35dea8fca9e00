"""Weights of MobileNet v1 as Keras applications publish them, random ones, for any of the 16 variants."""

import itertools
from pathlib import Path

import h5py
import numpy as np

_CHANNELS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)


def keras_file_name(variant: str) -> str:
    """Return the name of the published file: of ``mobilenet_0.25_128``, ``mobilenet_2_5_128_tf_no_top.h5``."""
    _, width, side = variant.split("_")
    words = {"1.0": "1_0", "0.75": "7_5", "0.50": "5_0", "0.25": "2_5"}
    return f"mobilenet_{words[width]}_{side}_tf_no_top.h5"


def write_keras_mobilenet(path: Path, variant: str, *, seed: int = 0) -> Path:
    """Write such a file; features stay in range, so that pictures can be told apart by them."""
    chance = np.random.default_rng(seed)
    channels = [int(count * float(variant.split("_")[1])) for count in _CHANNELS]
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        _write_layer(file, "conv1", "kernel", chance, (3, 3, 3, channels[0]))
        for number, (before, after) in enumerate(itertools.pairwise(channels), start=1):
            _write_layer(file, f"conv_dw_{number}", "depthwise_kernel", chance, (3, 3, before, 1))
            # Random layers make everything smaller; the last one brings it back.
            gain = 30.0 if number == len(channels) - 1 else 1.0
            _write_layer(file, f"conv_pw_{number}", "kernel", chance, (1, 1, before, after), gain=gain)
    return path


def _write_layer(
    file: h5py.File,
    layer: str,
    leaf: str,
    chance: np.random.Generator,
    shape: tuple[int, int, int, int],
    *,
    gain: float = 1.0,
) -> None:
    fan = np.prod(shape[:2] if leaf.startswith("depthwise") else shape[:3])
    count = shape[2] if leaf.startswith("depthwise") else shape[3]
    _write_arrays(file, layer, {leaf: chance.normal(0, np.sqrt(2 / fan), shape)})
    norm = {"gamma": gain, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}
    _write_arrays(file, f"{layer}_bn", {name: np.full(count, value) for name, value in norm.items()})


def _write_arrays(file: h5py.File, layer: str, arrays: dict[str, np.ndarray]) -> None:
    group = file.create_group(layer)
    group.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in arrays]
    for name, value in arrays.items():
        group[f"{layer}/{name}:0"] = value.astype(np.float32)
