#!/usr/bin/env python3
"""Whether `--model bolt:FOLDER` forecasts as PyPI's chronos-forecasting does: random weights of every published shape, 64 and 100 steps.

    pip install chronos-forecasting pandas
    bench/bolt_parity.py [--program target/release/apportion] [tiny mini small base]

Says the largest difference in units of the series' deviation, and fails above 1e-4.
"""
import argparse, json, pathlib, subprocess, sys, tempfile
import numpy as np, pandas as pd, torch
from safetensors.torch import save_file
from transformers import T5Config
from chronos.chronos_bolt import ChronosBoltModelForForecasting, ChronosBoltPipeline

# width, feed-forward, layers, heads
SHAPES = {"tiny": (256, 1024, 4, 4), "mini": (384, 1536, 4, 8), "small": (512, 2048, 6, 8), "base": (768, 3072, 12, 12)}
LEVELS = [k / 10 for k in range(1, 10)]


def build(name):
    d, ff, layers, heads = SHAPES[name]
    torch.manual_seed(1)
    config = T5Config(
        d_model=d, d_ff=ff, d_kv=64, num_layers=layers, num_decoder_layers=layers, num_heads=heads, vocab_size=2,
        feed_forward_proj="relu", layer_norm_epsilon=1e-6, pad_token_id=0, decoder_start_token_id=0, dropout_rate=0.0,
        relative_attention_num_buckets=32, relative_attention_max_distance=128, reg_token_id=1,
        chronos_config=dict(context_length=2048, prediction_length=64, input_patch_size=16, input_patch_stride=16,
                            quantiles=LEVELS, use_reg_token=True))
    model = ChronosBoltModelForForecasting(config).eval()
    # Freshly made T5 matrices are far from trained ones; this keeps each layer's output at the size of its input.
    for key, value in model.named_parameters():
        if value.dim() == 2 and "relative" not in key:
            torch.nn.init.normal_(value, std=value.shape[1] ** -0.5 * (0.35 if ".q." in key or ".k." in key else 1.0))
    return config, model


def series():
    """Lengths that fill patches and that do not, gaps, more than the context."""
    rng, made = np.random.default_rng(1), []
    for k, length in enumerate((16, 100, 512, 700, 2048, 3000)):
        values = 50 + 10 * np.sin(np.arange(length) / 11) + rng.normal(size=length)
        if k % 2:
            values[length // 3 : length // 2] = np.nan
        made.append(values.astype(np.float32))
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/apportion")
    parser.add_argument("shapes", nargs="*", default=list(SHAPES))
    args = parser.parse_args()
    worst = 0.0
    for name in args.shapes:
        config, model = build(name)
        pipeline, inputs = ChronosBoltPipeline(model), series()
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            state = {key: value.contiguous() for key, value in model.state_dict().items() if "embed_tokens" not in key}
            save_file(state, folder / "model.safetensors")
            (folder / "config.json").write_text(json.dumps(config.to_dict()))
            table = [pd.DataFrame({"workload": f"w{k}", "metric": "m", "time": np.arange(len(x)) * 300, "value": x}) for k, x in enumerate(inputs)]
            pd.concat(table).dropna().to_csv(folder / "in.csv", index=False)
            for horizon in (64, 100):
                command = [args.program, "forecast", folder / "in.csv", "--horizon", horizon, "--model", f"bolt:{folder}", "--out", folder / "out.csv"]
                subprocess.run(list(map(str, command)), check=True, stderr=subprocess.DEVNULL)
                ours = pd.read_csv(folder / "out.csv").set_index("workload")
                for k, values in enumerate(inputs):
                    with torch.inference_mode():
                        theirs = pipeline.predict([torch.tensor(values)], prediction_length=horizon)[0].numpy()
                    theirs = np.sort(theirs.T, axis=1)
                    mine = ours.loc[f"w{k}", [f"q{level}" for level in LEVELS]].to_numpy(float)
                    worst = max(worst, np.abs(mine - theirs).max() / np.nanstd(values))
        print(f"{name}: {sum(p.numel() for p in model.parameters())} weights, largest difference so far {worst:.1e}", flush=True)
    sys.exit(worst > 1e-4)


if __name__ == "__main__":
    main()
