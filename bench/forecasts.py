#!/usr/bin/env python3
"""Forecasters of this project and its peers on the same cuts, on the same machine: record, then judge, then print.

    pip install numpy pandas pyarrow fracast statsforecast
    bench/forecasts.py cut DATA.parquet --context 2016 --horizon 288 --most 60 --out out/NAME
    bench/forecasts.py record out/NAME auto transformer recent fracast mstl-ets theta auto-arima
    bench/forecasts.py judge out/NAME
    bench/forecasts.py print out/*

DATA has the columns workload, metric, time (seconds), value. A cut is one series up to one of three origins; where there are
more than --most, so many are drawn by --seed. Names that are no peer's are given to `apportion forecast --model`.

Peers: `fracast` (Fracast-0, its own 8-bit weights), `mstl-ets`, `theta` and `auto-arima` (statsforecast; ARIMA without a season on
the last 512 values, since with one it takes minutes a forecast). A season is a day, else an hour, where the context holds two.

Scores, per cut, relative to seasonal naive, geometric mean over cuts, each ratio held to 0.01..100:
  MASE   mean |median - truth|
  WQL    pinball loss, mean over nine levels, over the sum of |truth|
A forecast that is missing, not finite or not monotone in its levels is broken: ratio 10. Cover: the shares of truths below, and at or
below, q0.1, q0.5 and q0.9; the nominal level belongs between the two where a value occurs often (a disk at exactly 0).
CPU: user and system time of the process per forecast; for `apportion` with starting, reading and writing Parquet.
"""
import argparse, json, os, pathlib, resource, subprocess, time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # peers on one thread: CPU time is what is compared

import numpy as np
import pandas as pd

LEVELS = np.arange(1, 10) / 10
COLUMNS = [f"q{level:.1f}" for level in LEVELS]
KEY = ["workload", "metric"]
NORMAL = np.array([-1.2815516, -0.8416212, -0.5244005, -0.2533471, 0, 0.2533471, 0.5244005, 0.8416212, 1.2815516])


def season_of(step, length):
    for span in (86_400, 3_600):
        season = round(span / step)
        if season > 1 and length >= 2 * season:
            return season
    return 1


def cut(args):
    """Contexts and truths; a cut with a hole in its truth, with half of its context missing, or constant, is left out."""
    found = []
    for (workload, metric), group in pd.read_parquet(args.data).groupby(KEY, sort=True):
        group = group.sort_values("time").drop_duplicates("time")
        at, value = group["time"].to_numpy(), group["value"].to_numpy(float)
        if len(at) < args.context + args.horizon:
            continue
        for k, origin in enumerate(np.linspace(args.context, len(at) - args.horizon, 3).round().astype(int)):
            past, ahead = slice(origin - args.context, origin), slice(origin, origin + args.horizon)
            step = int(np.median(np.diff(at[past])))
            holes = (np.diff(at[origin - 1 : origin + args.horizon]) != step).any() or not np.isfinite(value[ahead]).all()
            thin = np.isfinite(value[past]).sum() < args.context // 2 or np.nanstd(value[past]) == 0
            if not holes and not thin:
                name = {"workload": f"{workload}@{k}", "metric": metric}
                found.append(tuple(pd.DataFrame({**name, "time": at[part], "value": value[part]}) for part in (past, ahead)))
    most = min(args.most, len(found))
    kept = [found[k] for k in sorted(np.random.default_rng(args.seed).choice(len(found), most, replace=False))]
    if args.last:
        kept = [one for one in kept if one[0]["workload"].iloc[0].endswith("@2")]
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    for part, name in enumerate(("context", "future")):
        pd.concat(one[part] for one in kept).to_parquet(out / f"{name}.parquet", index=False)
    (out / "cuts.json").write_text(json.dumps({"kept": len(kept), "of": len(found), **{k: str(v) for k, v in vars(args).items() if k != "run"}}))
    print(f"{out}: {len(kept)} of {len(found)} cuts")


def contexts(folder):
    """Per cut: its filled history, its season."""
    made = {}
    for key, group in pd.read_parquet(folder / "context.parquet").groupby(KEY, sort=True):
        history = group["value"].ffill().bfill().to_numpy(float)
        made[key] = history, season_of(int(np.median(np.diff(group["time"]))), len(history))
    return made


def seasonal_naive(history, season, horizon):
    spread = np.std(history[season:] - history[:-season])
    ahead = np.sqrt(np.arange(horizon) // season + 1)
    return np.resize(history[-season:], horizon)[:, None] + spread * ahead[:, None] * NORMAL


def from_intervals(made):
    """Nine levels of a statsforecast answer with intervals at 20, 40, 60 and 80 %."""
    low = [made[f"lo-{level}"] for level in (80, 60, 40, 20)]
    return np.sort(np.column_stack([*low, made["mean"], *(made[f"hi-{level}"] for level in (20, 40, 60, 80))]), axis=1)


def peer(name):
    """A function (history, season, horizon) -> [horizon, 9]."""
    if name == "naive":
        return seasonal_naive
    if name == "fracast":
        import fracast, torch
        torch.set_num_threads(1)
        model = fracast.FracastModel.from_pretrained()
        assert np.allclose(model.quantiles, LEVELS)
        return lambda history, season, horizon: np.sort(model.forecast(history, horizon=horizon), axis=1)
    from statsforecast import models
    build = {
        "mstl-ets": lambda season: models.MSTL(season_length=season) if season > 1 else models.AutoETS(model="ZZN"),
        "theta": lambda season: models.Theta(season_length=season),
        "auto-arima": lambda season: models.AutoARIMA(season_length=1),
    }[name]
    reach = 512 if name == "auto-arima" else None
    levels = [20, 40, 60, 80]
    return lambda history, season, horizon: from_intervals(
        build(season).forecast(history[-reach:] if reach else history, h=horizon, level=levels))


PEERS = ("naive", "fracast", "mstl-ets", "theta", "auto-arima")


def record_peer(folder, name):
    forecast, future, rows, broken = peer(name), pd.read_parquet(folder / "future.parquet"), [], 0
    past = contexts(folder)
    history, season = next(iter(past.values()))
    forecast(history, season, 8)  # what is compiled or loaded at first use is not counted
    spent = 0.0
    for key, group in future.groupby(KEY, sort=True):
        history, season = past[key]
        begun = time.process_time()
        try:
            made = forecast(history, season, len(group))
        except Exception as error:  # a peer's failure is a result, not ours to hide
            broken += 1
            print(f"{name} on {key}: {error}")
            continue
        finally:
            spent += time.process_time() - begun
        rows.append(pd.concat([group[[*KEY, "time"]].reset_index(drop=True), pd.DataFrame(made, columns=COLUMNS)], axis=1))
    pd.concat(rows).to_parquet(folder / f"{name}.parquet", index=False)
    return spent / len(past) * 1e3


def record_own(folder, name, program):
    cuts = json.loads((folder / "cuts.json").read_text())
    out = folder / f"{name.replace('/', '-').replace(':', '-')}.parquet"
    used = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    begun = used()
    command = [program, "forecast", folder / "context.parquet", "--horizon", cuts["horizon"], "--model", name, "--out", out]
    subprocess.run(list(map(str, command)), check=True, stderr=subprocess.DEVNULL)
    return (used() - begun) / cuts["kept"] * 1e3


def record(args):
    folder = pathlib.Path(args.dir)
    for name in ["naive", *args.names]:
        spent = record_peer(folder, name) if name in PEERS else record_own(folder, name, args.program)
        (folder / f"{name.replace('/', '-').replace(':', '-')}.cpu").write_text(f"{spent}\n")
        print(f"{folder} {name}: {spent:.2f} ms of CPU a forecast", flush=True)


def losses(folder, path):
    """Per cut: pinball loss, error of the median, whether broken, shares of truths below and at or below three levels."""
    made = pd.read_parquet(folder / "future.parquet").merge(pd.read_parquet(path), on=[*KEY, "time"], how="left")
    table = {}
    for key, group in made.groupby(KEY, sort=True):
        truth, levels = group["value"].to_numpy()[:, None], group[COLUMNS].to_numpy(float)
        crossing = (np.diff(levels, axis=1) < -1e-6 * (1 + np.abs(levels[:, 1:]))).any()
        error = truth - levels
        slack = 1e-9 * np.abs(truth)
        table[key] = {
            "broken": bool(crossing or not np.isfinite(levels).all()),
            "wql": np.maximum(LEVELS * error, (LEVELS - 1) * error).sum(),
            "mase": np.abs(error[:, 4]).mean(),
            "below": np.mean(truth < levels - slack, axis=0)[[0, 4, 8]],
            "at_or_below": np.mean(truth <= levels + slack, axis=0)[[0, 4, 8]],
        }
    return table


def share_errors(table):
    """Standard errors, over series, of the mean of both shares; none for a single series."""
    series = {}
    for (workload, metric), one in table.items():
        series.setdefault((workload.rsplit("@", 1)[0], metric), []).append((one["below"] + one["at_or_below"]) / 2)
    means = np.array([np.mean(cuts, axis=0) for cuts in series.values()])
    return (means.std(axis=0, ddof=1) / np.sqrt(len(means))).tolist() if len(means) > 1 else []


def judge(args):
    folder = pathlib.Path(args.dir)
    base = losses(folder, folder / "naive.parquet")
    scores = {"cuts": json.loads((folder / "cuts.json").read_text()), "forecasters": {}}
    for spent in sorted(folder.glob("*.cpu")):
        table = losses(folder, spent.with_suffix(".parquet"))
        relative = {}
        for score in ("wql", "mase"):
            ratios = [10.0 if one["broken"] else one[score] / base[key][score] for key, one in table.items() if base[key][score] > 0]
            relative[score] = float(np.exp(np.log(np.clip(ratios, 1e-2, 1e2)).mean()))
        sound = [one for one in table.values() if not one["broken"]]
        errors = share_errors({key: one for key, one in table.items() if not one["broken"]})
        shares = {side: np.mean([one[side] for one in sound], axis=0).tolist() for side in ("below", "at_or_below")}
        scores["forecasters"][spent.stem] = {
            **relative, **shares, "error": errors, "broken": len(table) - len(sound), "cpu_ms": float(spent.read_text())}
    (folder / "scores.json").write_text(json.dumps(scores, indent=1))


def print_tables(args):
    sets = {pathlib.Path(folder).name: json.loads((pathlib.Path(folder) / "scores.json").read_text()) for folder in args.dirs}
    names = sorted(set.intersection(*(set(one["forecasters"]) for one in sets.values())) - {"naive"})
    for score, title in (("wql", "WQL"), ("mase", "MASE"), ("cpu_ms", "CPU ms a forecast")):
        print(f"\n{title}\n\n| set | cuts | " + " | ".join(names) + " |\n|---|--:|" + "--:|" * len(names))
        for name, one in sets.items():
            print(f"| {name} | {one['cuts']['kept']} | " + " | ".join(f"{one['forecasters'][n][score]:.3g}" for n in names) + " |")
        means = [np.exp(np.mean([np.log(one["forecasters"][n][score]) for one in sets.values()])) for n in names]
        print("| geometric mean | | " + " | ".join(f"{mean:.3g}" for mean in means) + " |")
    print("\nShares of truths below .. at or below q0.1, q0.5, q0.9; broken\n\n| set | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for name, one in sets.items():
        error = lambda n: [f" ({one:.2f})" for one in n["error"]] or [""] * 3
        show = lambda n: ", ".join(f"{a:.2f}..{b:.2f}{e}" for a, b, e in zip(n["below"], n["at_or_below"], error(n))) + f"; {n['broken']}"
        print(f"| {name} | " + " | ".join(show(one["forecasters"][n]) for n in names) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("cut")
    verb.set_defaults(run=cut)
    verb.add_argument("data")
    for name, default in (("context", 2016), ("horizon", 288), ("most", 60), ("seed", 1)):
        verb.add_argument(f"--{name}", type=int, default=default)
    verb.add_argument("--last", action="store_true", help="of those drawn the last origin only: what a training on the file has not seen")
    verb.add_argument("--out", required=True)
    verb = verbs.add_parser("record")
    verb.set_defaults(run=record)
    verb.add_argument("dir")
    verb.add_argument("names", nargs="+")
    verb.add_argument("--program", default="target/release/apportion")
    verb = verbs.add_parser("judge")
    verb.set_defaults(run=judge)
    verb.add_argument("dir")
    verb = verbs.add_parser("print")
    verb.set_defaults(run=print_tables)
    verb.add_argument("dirs", nargs="+")
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
