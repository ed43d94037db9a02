#!/usr/bin/env python3
"""`apportion forecast --model bolt:FOLDER` against the package that defines the model, on random weights of every published shape.

    pip install numpy pandas pyarrow chronos-forecasting
    bench/bolt_parity.py --program target/release/apportion

Per shape (tiny, mini, small, base): weights drawn by the package itself from a seed and saved by it, then the same series forecast
by both, 64 steps (one pass) and 150 (three, each quantile's path a context of its own). Series: longer than the context of 2,048,
as long, shorter, no multiple of a patch, with gaps, constant, large and small. The package does not sort its quantiles and this
program does, so the package's are sorted first. Printed: the largest difference of a series, relative to the largest size of its forecast; more
than 1e-4 ends with status 1.
"""
import argparse, os, pathlib, subprocess, sys, tempfile, warnings

os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import numpy as np
import pandas as pd
import torch
from chronos import ChronosBoltPipeline
from chronos.chronos_bolt import ChronosBoltModelForForecasting
from transformers import T5Config
from transformers.utils import logging

SHAPES = {  # d_model, d_ff, layers, heads
    "tiny": (256, 1024, 4, 4),
    "mini": (384, 1536, 4, 8),
    "small": (512, 2048, 6, 8),
    "base": (768, 3072, 12, 12),
}
LEVELS = [level / 10 for level in range(1, 10)]
COLUMNS = [f"q{level}" for level in LEVELS]
STEP, MOST = 300, 1e-4


def config(shape):
    width, feed, layers, heads = SHAPES[shape]
    chronos = {
        "context_length": 2048, "prediction_length": 64, "input_patch_size": 16, "input_patch_stride": 16,
        "quantiles": LEVELS, "use_reg_token": True,
    }
    return T5Config(
        architectures=["ChronosBoltModelForForecasting"], d_model=width, d_ff=feed, d_kv=64, num_heads=heads, num_layers=layers,
        num_decoder_layers=layers, layer_norm_epsilon=1e-6, relative_attention_num_buckets=32, relative_attention_max_distance=128,
        feed_forward_proj="relu", is_encoder_decoder=True, vocab_size=2, pad_token_id=0, decoder_start_token_id=0, reg_token_id=1,
        dropout_rate=0.0, chronos_config=chronos)


def histories():
    """Series by name, as 32-bit floats; all cross zero or are negative, since this program bounds forecasts of what never does."""
    rng = np.random.default_rng(1)
    noise = lambda n: np.sin(np.arange(n) / 15) + 0.3 * rng.standard_normal(n)
    gaps = noise(700)
    gaps[100:180] = np.nan
    gaps[rng.choice(np.arange(1, 699), 60, replace=False)] = np.nan
    made = {
        "longer": noise(2500), "whole": noise(2048), "half": noise(1024), "odd": noise(517), "short": noise(21), "gaps": gaps,
        "walk": np.cumsum(rng.standard_normal(900)), "constant": np.full(300, -3.5), "large": 1e6 * noise(600), "small": 1e-6 * noise(600),
    }
    return {name: values.astype(np.float32) for name, values in made.items()}


def write(path, series):
    table = [pd.DataFrame({"workload": name, "metric": "value", "time": np.arange(len(x), dtype=np.int64) * STEP, "value": x})
             for name, x in series.items()]
    pd.concat(table).dropna().to_parquet(path, index=False)


def of_program(program, folder, series, horizon):
    source, made = folder / "series.parquet", folder / "made.parquet"
    write(source, series)
    command = [program, "forecast", source, "--horizon", horizon, "--model", f"bolt:{folder}", "--out", made]
    subprocess.run(list(map(str, command)), check=True, stderr=subprocess.DEVNULL)
    table = pd.read_parquet(made).sort_values("time")
    return {name: group[COLUMNS].to_numpy(float) for name, group in table.groupby("workload")}


def of_package(folder, series, horizon):
    pipeline = ChronosBoltPipeline.from_pretrained(folder, device_map="cpu", torch_dtype=torch.float32)
    one = lambda x: np.sort(pipeline.predict(torch.from_numpy(x)[None], prediction_length=horizon)[0].numpy().T.astype(float), axis=1)
    return {name: one(x) for name, x in series.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/apportion")
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=SHAPES)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable_progress_bar()
    series, worst = histories(), 0.0
    print("| shape | weights | steps | largest relative difference | in |\n|---|--:|--:|--:|---|")
    for shape in args.shapes:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            torch.manual_seed(1)
            model = ChronosBoltModelForForecasting(config(shape))
            model.save_pretrained(folder)
            weights = sum(parameter.numel() for parameter in model.parameters())
            for horizon in (64, 150):
                ours, theirs = of_program(args.program, folder, series, horizon), of_package(folder, series, horizon)
                apart = {name: np.abs(ours[name] - theirs[name]).max() / np.abs(theirs[name]).max() for name in series}
                where = max(apart, key=apart.get)
                worst = max(worst, apart[where])
                print(f"| {shape} | {weights:,} | {horizon} | {apart[where]:.1e} | {where} |", flush=True)
    sys.exit(int(worst > MOST))


if __name__ == "__main__":
    main()
