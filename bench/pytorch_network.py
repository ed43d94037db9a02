#!/usr/bin/env python3
"""The telemetry Transformer's network in PyTorch, on one thread: what `cargo bench -p apportion-model --bench network` is held against.

    pip install torch
    bench/pytorch_network.py

Same sizes, same batch, same optimiser, float32, eager; fused attention. Best of five measurements of two seconds each.
"""
import time
import torch
from torch import nn
import torch.nn.functional as F

FEATURES, OUTPUTS, D, HEADS, LAYERS, HIDDEN, EDGE = 298, 544, 128, 4, 4, 344, 256
WINDOWS, TOKENS = 8, 71


class ResidualMlp(nn.Module):
    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.hidden, self.output = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)
        self.skip = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x):
        return self.output(F.silu(self.hidden(x))) + self.skip(x)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.mixer_norm, self.feed_norm = nn.RMSNorm(D, eps=1e-6), nn.RMSNorm(D, eps=1e-6)
        self.q_norm, self.k_norm = nn.RMSNorm(D // HEADS, eps=1e-6), nn.RMSNorm(D // HEADS, eps=1e-6)
        self.qkv, self.out = nn.Linear(D, 3 * D, bias=False), nn.Linear(D, D, bias=False)
        self.gate_up, self.down = nn.Linear(D, 2 * HIDDEN, bias=False), nn.Linear(HIDDEN, D, bias=False)

    def forward(self, h, cos, sin):
        windows, tokens, _ = h.shape
        q, k, v = self.qkv(self.mixer_norm(h)).view(windows, tokens, 3, HEADS, D // HEADS).permute(2, 0, 3, 1, 4)
        q, k = rotate(self.q_norm(q), cos, sin), rotate(self.k_norm(k), cos, sin)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.out(mixed.transpose(1, 2).reshape(windows, tokens, D))
        gate, up = self.gate_up(self.feed_norm(h)).chunk(2, dim=-1)
        return h + self.down(F.silu(gate) * up)


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = ResidualMlp(FEATURES, EDGE, D), ResidualMlp(D, EDGE, OUTPUTS)
        self.blocks, self.norm = nn.ModuleList(Block() for _ in range(LAYERS)), nn.RMSNorm(D, eps=1e-6)
        half = D // HEADS // 2
        angles = torch.arange(TOKENS)[:, None] * 10_000.0 ** (-torch.arange(half) / half)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, features):
        h = self.embed(features)
        for block in self.blocks:
            h = block(h, self.cos, self.sin)
        return self.head(self.norm(h))


def best(work, span=2.0, repeats=5):
    work()
    rates = []
    for _ in range(repeats):
        begun, passes = time.perf_counter(), 0
        while time.perf_counter() - begun < span:
            work()
            passes += 1
        rates.append(passes * WINDOWS / (time.perf_counter() - begun))
    return max(rates)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    network, features = Network(), torch.randn(WINDOWS, TOKENS, FEATURES)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01, fused=True)

    def forward():
        with torch.inference_mode():
            network(features)

    def train():
        optimiser.zero_grad(set_to_none=True)
        (network(features).square().mean() / 2).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()

    print(f"PyTorch {torch.__version__}, {sum(p.numel() for p in network.parameters())} weights; windows a second")
    print(f"  forward, f32     {best(forward):8.0f}")
    print(f"  training, f32    {best(train):8.0f}")


if __name__ == "__main__":
    main()
