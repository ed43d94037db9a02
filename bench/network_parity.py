#!/usr/bin/env python3
"""The telemetry Transformer's network, written here in PyTorch, against this program's.

    pip install torch numpy safetensors
    bench/network_parity.py --numbers
    cargo run --release -p apportion-model --example network_outputs -- crates/model/weights/telemetry.safetensors > outputs.csv
    bench/network_parity.py outputs.csv

With --numbers: outputs, loss and gradients of a small network whose weights are made by a formula, as the test
`crates/model/src/telemetry/reference_tests.rs` holds them. With a file: the weights named in its first line on features made by a formula,
in double precision here and in f32 there; the largest difference, relative to the largest output. More than 1e-5 ends with status 1.
"""
import argparse, json, struct, sys

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
PATCH, CANDIDATES, LEVELS = 32, 8, 9
EPSILON, BASE = 1e-6, 10_000.0
SMALL = {"d": 8, "heads": 2, "layers": 2, "hidden": 6, "edge": 5, "features": 298}


def rms(x, gain):
    return gain * x / torch.sqrt((x * x).mean(-1, keepdim=True) + EPSILON)


def residual(w, name, x):
    hidden = F.silu(F.linear(x, w[f"{name}.hidden.weight"], w[f"{name}.hidden.bias"]))
    return F.linear(hidden, w[f"{name}.output.weight"], w[f"{name}.output.bias"]) + F.linear(x, w[f"{name}.skip.weight"])


def rotate(x):
    tokens, half = x.shape[-2], x.shape[-1] // 2
    angles = torch.arange(tokens)[:, None] * BASE ** (-torch.arange(half) / half)
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()), dim=-1)


def attend(w, name, heads, x):
    windows, tokens, d = x.shape
    q, k, v = F.linear(x, w[f"{name}.qkv.weight"]).view(windows, tokens, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
    q, k = rotate(rms(q, w[f"{name}.q_norm.gain"])), rotate(rms(k, w[f"{name}.k_norm.gain"]))
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return F.linear(mixed.transpose(1, 2).reshape(windows, tokens, d), w[f"{name}.out.weight"])


def forward(w, config, features):
    h = residual(w, "embed", features)
    for k in range(config["layers"]):
        block = f"blocks.{k}"
        h = h + attend(w, f"{block}.attention", config["heads"], rms(h, w[f"{block}.mixer_norm.gain"]))
        gate, up = F.linear(rms(h, w[f"{block}.feed_norm.gain"]), w[f"{block}.feed.gate_up.weight"]).chunk(2, dim=-1)
        h = h + F.linear(F.silu(gate) * up, w[f"{block}.feed.down.weight"])
    return residual(w, "head", rms(h, w["norm.gain"]))


def pinball(out, candidates, targets):
    """Mean over levels, summed over targets: out [rows, 544], candidates [rows, 32, 8, 9], targets [rows, 32]."""
    logits, delta = out[:, : PATCH * CANDIDATES], out[:, PATCH * CANDIDATES :]
    weights = torch.softmax(logits.reshape(-1, PATCH, CANDIDATES), dim=-1)
    y = (weights[..., None] * candidates).sum(2) + delta.reshape(-1, PATCH, LEVELS)
    error, levels = targets[..., None] - y, torch.arange(1, 10) / 10
    return torch.maximum(levels * error, (levels - 1) * error).mean(-1).sum()


def wave(count, *shape):
    """The numbers of `wave` in the Rust test and example."""
    k = np.arange(np.prod(shape))
    return torch.tensor(np.sin(0.7 * k + count).reshape(shape))


def shapes(config):
    d, heads, hidden, edge = config["d"], config["heads"], config["hidden"], config["edge"]
    outputs = PATCH * (CANDIDATES + LEVELS)
    all = {"norm.gain": (d,)}
    for name, inputs, out in [("embed", config["features"], d), ("head", d, outputs)]:
        all |= {f"{name}.hidden.weight": (edge, inputs), f"{name}.hidden.bias": (edge,), f"{name}.skip.weight": (out, inputs),
                f"{name}.output.weight": (out, edge), f"{name}.output.bias": (out,)}
    for k in range(config["layers"]):
        block = f"blocks.{k}"
        all |= {f"{block}.mixer_norm.gain": (d,), f"{block}.feed_norm.gain": (d,), f"{block}.attention.qkv.weight": (3 * d, d),
                f"{block}.attention.out.weight": (d, d), f"{block}.attention.q_norm.gain": (d // heads,),
                f"{block}.attention.k_norm.gain": (d // heads,), f"{block}.feed.gate_up.weight": (2 * hidden, d),
                f"{block}.feed.down.weight": (d, hidden)}
    return all


def made(config):
    """Weights in the order of their names; gains about 1."""
    all = {}
    for count, (name, shape) in enumerate(sorted(shapes(config).items())):
        values = wave(count, *shape)
        all[name] = (1 + values / 4 if name.endswith("gain") else values / np.sqrt(shape[-1])).requires_grad_()
    return all


def numbers():
    rows = 2 * 3
    w, features = made(SMALL), wave(50, 2, 3, SMALL["features"])
    out = forward(w, SMALL, features).reshape(rows, -1)
    for row in (0, 5):
        print(f"outputs of row {row}:", [round(float(out.detach()[row, k]), 5) for k in (0, 100, 255, 256, 400, 543)])
    # Candidates as the head puts them together of eight kinds of simple forecasts.
    per_row = [wave(60 + k, rows, LEVELS)[:, None, :].expand(rows, PATCH, LEVELS) for k in range(2)]
    last = wave(62, rows)[:, None, None].expand(rows, PATCH, LEVELS)
    single = [wave(63 + k, rows, PATCH)[..., None].expand(rows, PATCH, LEVELS) for k in range(3)]
    full = [wave(66 + k, rows, PATCH, LEVELS) for k in range(2)]
    loss = pinball(out, torch.stack([*per_row, last, *single, *full], dim=2), wave(68, rows, PATCH) * 2)
    loss.backward()
    print("loss:", round(float(loss.detach()), 5))
    for name in sorted(w):
        gradient = w[name].grad.reshape(-1)
        print(f'("{name}", [{float(gradient[0]):.5f}, {float(gradient[-1]):.5f}, {float(gradient.norm()):.5f}]),')


def weights_of(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    config = json.loads(header.pop("__metadata__")["config"])
    kinds = {"F16": "<f2", "F32": "<f4"}
    tensor = lambda spec: np.frombuffer(data[8 + size :][slice(*spec["data_offsets"])], kinds[spec["dtype"]]).reshape(spec["shape"])
    return {name: torch.tensor(tensor(spec).astype(np.float64)) for name, spec in header.items()}, config


def compare(path):
    lines = open(path).read().split("\n")
    weights, windows, tokens = lines[0].split(",")
    w, config = weights_of(weights)
    features = torch.tensor(wave(1, int(windows), int(tokens), config["features"]).numpy().astype(np.float32).astype(np.float64))
    expected = forward(w, config, features).reshape(-1).numpy()
    found = np.array([float(line) for line in lines[1:] if line])
    assert len(found) == len(expected), f"{len(found)} outputs, expected {len(expected)}"
    apart = np.abs(found - expected).max() / np.abs(expected).max()
    print(f"PyTorch {torch.__version__}, {weights}: {len(found)} outputs, largest {np.abs(expected).max():.3f}, apart by {apart:.1e} of it")
    return apart <= 1e-5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outputs", nargs="?", help="what the example network_outputs printed")
    parser.add_argument("--numbers", action="store_true", help="print the numbers of the test")
    arguments = parser.parse_args()
    if arguments.numbers:
        numbers()
    if arguments.outputs and not compare(arguments.outputs):
        sys.exit(1)


if __name__ == "__main__":
    main()
