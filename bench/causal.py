#!/usr/bin/env python3
"""Whether any policy of `apportion replay` looks ahead: a trace cut at a time is all that was known then, so that what is decided up to
that time must be the same as on the whole trace.

    pip install pandas pyarrow
    bench/causal.py --program target/release/apportion TRACE [--policy all] [--cut 0.4 --cut 0.65 --cut 0.9] [-- FURTHER ARGUMENTS]

TRACE is Parquet or CSV (workload, metric, time, value). Each cut is a share of the time from the first sample to the last; one more is made just
after the first sample of the series that begins last. The rows up to it are written to a file of their own, and played as any other. Printed: per policy and cut, how
many decisions there were up to it, and how many differ. `best-static` and `oracle` look ahead on purpose and are left out. A
difference ends with status 1.
"""
import argparse, pathlib, subprocess, sys, tempfile

import pandas as pd

LOOK_AHEAD = {"best-static", "oracle"}
KEY = ["workload", "metric", "time"]


def play(program, trace, policy, out, more):
    subprocess.run([program, "replay", trace, "--policy", policy, "--warmup", "0", "--out", out, *more], check=True, stdout=subprocess.DEVNULL)
    names = sorted(path.stem for path in pathlib.Path(out).glob("*.parquet"))
    return {name: pd.read_parquet(pathlib.Path(out) / f"{name}.parquet") for name in names if name not in LOOK_AHEAD}


def differing(whole, cut, until):
    both = whole[whole["time"] <= until].merge(cut[cut["time"] <= until], on=KEY, how="outer", suffixes=("", "_cut"))
    return len(both), int((both["allocation"] != both["allocation_cut"]).sum())


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("trace")
    arguments.add_argument("--program", default="target/release/apportion")
    arguments.add_argument("--policy", default="all")
    arguments.add_argument("--cut", type=float, action="append")
    asked, more = arguments.parse_known_args()
    more = [argument for argument in more if argument != "--"]
    rows = pd.read_parquet(asked.trace) if asked.trace.endswith((".parquet", ".pq")) else pd.read_csv(asked.trace)
    first, last = rows["time"].min(), rows["time"].max()
    begins = rows.groupby(["workload", "metric"])["time"].min().max()
    times = sorted({int(first + (last - first) * share) for share in asked.cut or [0.4, 0.65, 0.9]} | {int(begins)} - {int(first)})
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        whole = play(asked.program, asked.trace, asked.policy, f"{folder}/whole", more)
        for until in times:
            part = f"{folder}/until-{until}.parquet"
            rows[rows["time"] <= until].to_parquet(part)
            for name, cut in play(asked.program, part, asked.policy, f"{folder}/{until}", more).items():
                count, differ = differing(whole[name], cut, until)
                wrong += differ
                print(f"{name:16} cut at {until}: {count} decisions, {differ} differ")
    sys.exit(wrong > 0)


main()
