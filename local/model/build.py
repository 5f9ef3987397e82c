"""Builds the embedding model: all-MiniLM-L6-v2 as one fp32 ONNX graph, from the weights as they were published.

    python build.py WEIGHTS_FOLDER OUTPUT_FOLDER

Promises: the same inputs and pinned packages (requirements.txt) give the same bytes, so the result can be verified by hash (SHA256SUMS);
the vectors differ from the reference implementation's by less than 1e-5 (reference.json).

The graph uses ONNX Runtime's own fused operators (domain com.microsoft: Attention, SkipLayerNormalization, BiasGelu): the same numbers as the
plain ones, in less time. It ends with the hidden state of every token; mean pooling and normalisation belong to the embedder.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

HIDDEN = 384
HEADS = 12
LAYERS = 6
EPSILON = 1e-12  # layer_norm_eps of config.json
FUSED = "com.microsoft"
COPIED = ("config.json", "special_tokens_map.json", "tokenizer_config.json")


class Graph:
    """Nodes and constants under construction; every method returns the name of what it added."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes = []
        self.constants = []

    def constant(self, name, values):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(self, name):
        return self.constant(name, self.values(name))

    def matrix(self, name):
        """A linear layer's matrix; PyTorch stores it (out, in), MatMul wants (in, out)."""
        return self.constant(name, self.values(name).T)

    def values(self, name):
        return self.weights[name].astype(np.float32)

    def node(self, operator, inputs, output, domain="", **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def linear(self, inputs, name, output):
        """Without its bias: the operator that follows adds it."""
        return self.node("MatMul", [inputs, self.matrix(f"{name}.weight")], output)

    def add_and_normalise(self, inputs, residual, dense, norm, output):
        parameters = [self.weight(f"{norm}.weight"), self.weight(f"{norm}.bias"), self.weight(f"{dense}.bias")]
        return self.node("SkipLayerNormalization", [inputs, residual, *parameters], output, FUSED, epsilon=EPSILON)


def embeddings(graph):
    """Word + position + token type, normalised: (batch, sequence) ids to (batch, sequence, HIDDEN)."""
    part = "embeddings."
    words = graph.node("Gather", [graph.weight(part + "word_embeddings.weight"), "input_ids"], "words")
    types = graph.node("Gather", [graph.weight(part + "token_type_embeddings.weight"), "token_type_ids"], "types")
    zero = graph.constant("zero", np.array([0], np.int64))
    length = graph.node("Shape", ["input_ids"], "length", start=1, end=2)
    table = graph.weight(part + "position_embeddings.weight")
    positions = graph.node("Slice", [table, zero, length, zero], "positions")
    placed = graph.node("Add", [words, positions], "placed_words")
    total = graph.node("Add", [placed, types], "embedded")
    norm = [graph.weight(part + "LayerNorm.weight"), graph.weight(part + "LayerNorm.bias")]
    return graph.node("LayerNormalization", [total, *norm], "layer_0", axis=-1, epsilon=EPSILON)


def layer(graph, index, inputs, mask, output):
    """One transformer block (post-norm, as in BERT): attention, then the feed-forward part."""
    part = f"encoder.layer.{index}."
    attention = part + "attention.self."
    matrices = [graph.values(f"{attention}{name}.weight").T for name in ("query", "key", "value")]
    biases = [graph.values(f"{attention}{name}.bias") for name in ("query", "key", "value")]
    together = [graph.constant(attention + "weight", np.concatenate(matrices, 1)), graph.constant(attention + "bias", np.concatenate(biases))]
    context = graph.node("Attention", [inputs, *together, mask], attention + "context", FUSED, num_heads=HEADS)

    dense = part + "attention.output.dense"
    projected = graph.linear(context, dense, dense + ".product")
    attended = graph.add_and_normalise(projected, inputs, dense, part + "attention.output.LayerNorm", part + "attended")

    dense = part + "intermediate.dense"
    widened = graph.linear(attended, dense, dense + ".product")
    activated = graph.node("BiasGelu", [widened, graph.weight(dense + ".bias")], dense + ".activated", FUSED)

    dense = part + "output.dense"
    narrowed = graph.linear(activated, dense, dense + ".product")
    return graph.add_and_normalise(narrowed, attended, dense, part + "output.LayerNorm", output)


def model(weights):
    graph = Graph(weights)
    hidden = embeddings(graph)
    mask = graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    for index in range(LAYERS):
        last = index == LAYERS - 1
        hidden = layer(graph, index, hidden, mask, "last_hidden_state" if last else f"layer_{index + 1}")
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in names]
    outputs = [helper.make_tensor_value_info(hidden, TensorProto.FLOAT, ["batch", "sequence", HIDDEN])]
    body = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, outputs, graph.constants)
    operators = [helper.make_opsetid("", 17), helper.make_opsetid(FUSED, 1)]
    return helper.make_model(body, opset_imports=operators, ir_version=8)


def tokenizer(path):
    """As published, without its truncation and padding to 128 tokens: length is for the user of the tokenizer to decide."""
    content = json.loads(path.read_text("utf-8"))
    content["truncation"] = None
    content["padding"] = None
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def main(source, target):
    target.mkdir(parents=True, exist_ok=True)
    onnx.save(model(load_file(source / "model.safetensors")), target / "model.onnx")
    (target / "tokenizer.json").write_text(tokenizer(source / "tokenizer.json"), "utf-8")
    for name in COPIED:
        shutil.copyfile(source / name, target / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
