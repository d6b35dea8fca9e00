"""TF2 checkpoints, where a variable is found by the path through the objects that hold it.

The key under which TensorFlow stores a variable depends on its version; the path through the object graph that the
checkpoint carries does not.
"""

import re
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
_LEAVES = {
    "weights": "kernel",
    "depthwise_weights": "depthwise_kernel",
    "pointwise_weights": "pointwise_kernel",
    "biases": "bias",
}
_HEADS = {
    "BoxEncodingPredictor": "box_encodings/{}/_box_encoder_layers",
    "ClassPredictor": "class_predictions_with_background/{}/_class_predictor_layers",
}


class ObjectGraph:
    """The objects of a TF2 checkpoint.

    Args:
        serialized: What the checkpoint holds under `GRAPH_KEY`.
    """

    def __init__(self, serialized: bytes) -> None:
        graph = trackable_object_graph_pb2.TrackableObjectGraph()
        graph.ParseFromString(serialized)
        self._nodes = graph.nodes

    def node(self, path: str) -> int | None:
        """Return the number of the object at a path such as ``model/_feature_extractor``; ``None``: there is none."""
        node = 0
        for part in path.split("/"):
            inner = {child.local_name: child.node_id for child in self._nodes[node].children}
            if part not in inner:
                return None
            node = inner[part]
        return node

    def key(self, path: str) -> str:
        """Return the key of the variable at a path; empty where there is none."""
        node = self.node(path)
        attributes = self._nodes[node].attributes if node is not None else ()
        return next((attribute.checkpoint_key for attribute in attributes), "")

    def slots(self, path: str, name: str) -> dict[str, str]:
        """Return the keys of what an optimizer keeps under a name for variables, by the keys of the variables.

        Args:
            path: Path of the optimizer.
            name: Such as ``momentum`` or ``average``.
        """
        node = self.node(path)
        kept = self._nodes[node].slot_variables if node is not None else ()
        return {
            self._nodes[slot.original_variable_node_id].attributes[0].checkpoint_key: (
                self._nodes[slot.slot_variable_node_id].attributes[0].checkpoint_key
            )
            for slot in kept
            if slot.slot_name == name
        }

    def weighted(self, path: str) -> list[str]:
        """Return, of a list of layers, the paths of those that have variables, in order."""
        node = self.node(path)
        if node is None:
            return []
        children = {child.local_name: child.node_id for child in self._nodes[node].children}
        numbers = sorted((name for name in children if name.isdigit()), key=int)
        return [f"{path}/{name}" for name in numbers if self._has_variables(children[name])]

    def _has_variables(self, node: int) -> bool:
        return any(self._nodes[child.node_id].attributes for child in self._nodes[node].children)


class OdApiNames:
    """Keys of a TF2 OD API checkpoint by TF1 names.

    Args:
        graph: The objects of the checkpoint; they have ``model/_feature_extractor``.
        backbone_scopes: Slim's scopes of the backbone's convolutions, in the order of layers.
    """

    def __init__(self, graph: ObjectGraph, backbone_scopes: Sequence[str]) -> None:
        self._graph = graph
        self._backbone = {scope: index for index, scope in enumerate(backbone_scopes)}
        self._extractor = "model/_feature_extractor"
        # The OD API counts the levels it adds on from the layers of the backbone.
        self._first_coarse = 20 if any(scope.startswith("MobilenetV2") for scope in backbone_scopes) else 14
        # v1 and v2 of the OD API do not agree on the name.
        names = ("feature_map_generator", "_feature_map_generator")
        self._maps = next((name for name in names if graph.node(f"{self._extractor}/{name}") is not None), names[0])

    def key(self, slim_name: str) -> str:
        """Return the checkpoint's key of a variable; empty where it has none."""
        scope, _, leaf = slim_name.rpartition("/")
        level = re.search(r"/BatchNorm/feature_(\d+)$", scope)
        is_norm = "/BatchNorm" in scope
        scope = re.sub(r"/BatchNorm(/feature_\d+)?$", "", scope)
        pair = self._layers(scope.removeprefix("FeatureExtractor/"), int(level[1]) if level else 0)
        layer = pair[is_norm] if pair and len(pair) > is_norm else ""
        return self._graph.key(f"{layer}/{leaf if is_norm else _LEAVES.get(leaf, leaf)}") if layer else ""

    def _layers(self, scope: str, level: int) -> Sequence[str]:
        """Return the paths of a scope's convolution and of its batch norm, if it has one."""
        if scope in self._backbone:
            root, index = f"{self._extractor}/classification_backbone", 2 * self._backbone[scope]
            return f"{root}/layer_with_weights-{index}", f"{root}/layer_with_weights-{index + 1}"
        if match := re.search(r"_([12])_Conv2d_(\d+)_\dx\d_.*?(_depthwise)?$", scope):
            # 1x1, its batch norm, and then either a 3x3 or a depthwise 3x3 and a 1x1, each with batch norm.
            found = self._graph.weighted(f"{self._extractor}/{self._maps}/convolutions/{match[2]}")
            start = 0 if match[1] == "1" else (2 if match[3] or len(found) < 6 else 4)
            return found[start : start + 2]
        if match := re.search(r"/fpn/(projection|smoothing|bottom_up_Conv2d)_(\d+)$", scope):
            return self._pyramid_layers(match[1], int(match[2]))
        if match := re.fullmatch(r"BoxPredictor_(\d+)/(\w+?Predictor)(_depthwise)?", scope):
            heads = f"model/_box_predictor/_prediction_heads/{_HEADS[match[2]].format(match[1])}"
            found = self._graph.weighted(heads)
            return found[:2] if match[3] else found[-1:]
        return self._shared_layers(scope, level)

    def _pyramid_layers(self, kind: str, number: int) -> Sequence[str]:
        root = f"{self._extractor}/_fpn_features_generator"
        laterals = len(self._indices(f"{root}/residual_blocks"))
        if kind == "projection":
            path = f"{root}/top_layers" if number == laterals + 1 else f"{root}/residual_blocks/{laterals - number}"
        elif kind == "smoothing":
            path = f"{root}/conv_layers/{laterals - number}"
        else:
            path = f"{self._extractor}/_coarse_feature_layers/{number - self._first_coarse}"
        return self._graph.weighted(path)

    def _shared_layers(self, scope: str, level: int) -> Sequence[str]:
        root = "model/_box_predictor"
        if scope.endswith("/BoxPredictor"):
            return self._graph.weighted(f"{root}/_box_prediction_head/_box_encoder_layers")
        if scope.endswith("/ClassPredictor"):
            heads = f"{root}/_prediction_heads/class_predictions_with_background"
            return self._graph.weighted(f"{heads}/_class_predictor_layers")
        if match := re.search(r"/(Class|Box)?PredictionTower/conv2d_(\d+)$", scope):
            head = "class_predictions_with_background" if match[1] == "Class" else "box_encodings"
            found = self._graph.weighted(f"{root}/_base_tower_layers_for_heads/{head}/{level}")
            return found[2 * int(match[2]) : 2 * int(match[2]) + 2]
        return ()

    def _indices(self, path: str) -> list[int]:
        count = 0
        while self._graph.node(f"{path}/{count}") is not None:
            count += 1
        return list(range(count))


def own_paths(model: Any) -> dict[int, str]:
    """Return, by ``id``, the path of every variable of a model in a checkpoint of one of our runs."""
    view = tf.train.TrackableView(tf.train.Checkpoint(model=model))
    paths: dict[int, str] = {}
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("model", model)]
    while waiting:
        path, trackable = waiting.pop(0)
        if id(trackable) in seen:
            continue
        seen.add(id(trackable))
        if isinstance(trackable, tf.Variable):
            paths[id(trackable)] = path
        waiting += [(f"{path}/{name}", child) for name, child in view.children(trackable).items()]
    return paths
