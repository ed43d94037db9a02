//! Files to and from Python: pandas and pyarrow, where they are installed.

use apportion_core::{Forecast, Metric, WorkloadId};
use apportion_host::trace::{Trace, write_decisions, write_forecasts};
use std::{path::Path, process::Command};

/// Runs Python in `dir`; `None` where pandas is not installed.
fn python(dir: &Path, program: &str) -> Option<String> {
    let installed = Command::new("python3").args(["-c", "import pandas, pyarrow"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        println!("LEFT OUT: python3 with pandas and pyarrow is not installed");
        return None;
    }
    let output = Command::new("python3").current_dir(dir).args(["-c", program]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

const MAKE: &str = r#"
import pandas as pd, pyarrow as pa, pyarrow.parquet as pq, numpy as np
n = 20000
base = pd.DataFrame({
    "workload": np.where(np.arange(n) % 2 == 0, "web", "db"), "metric": "cpu_cores",
    "time": 1_700_000_000 + (np.arange(n) // 2) * 60, "value": (np.arange(n) % 100) / 8.0})
base.to_parquet("plain.parquet")
base.to_parquet("gzip.parquet", compression="gzip")
base.to_parquet("none.parquet", compression=None)
base.to_parquet("lz4.parquet", compression="lz4")
base.assign(workload=base.workload.astype("category"), metric=base.metric.astype("category")).to_parquet("category.parquet")
base.assign(value=base.value.astype("float32")).to_parquet("float32.parquet", compression="zstd")
base.assign(time=base.time.astype("int32")).to_parquet("int32.parquet")
base.assign(value=(base.value * 8).astype("int64")).to_parquet("int_value.parquet")
for unit in ["s", "ms", "us", "ns"]:
    stamped = base.assign(time=pd.to_datetime(base.time, unit="s").astype(f"datetime64[{unit}]"))
    stamped.to_parquet(f"datetime_{unit}.parquet")
stamped.to_parquet("int96.parquet", use_deprecated_int96_timestamps=True)
base.assign(time=pd.to_datetime(base.time, unit="s", utc=True)).to_parquet("utc.parquet")
base.assign(extra=1)[["extra", "value", "time", "metric", "workload"]].to_parquet("order.parquet")
base.sample(frac=1, random_state=0).to_parquet("shuffled.parquet")
base.to_csv("plain.csv", index=False)
base.to_csv("index.csv")
table = pa.Table.from_pandas(base)
pq.write_table(table, "groups.parquet", row_group_size=777, data_page_size=512, version="1.0")
pq.write_table(table, "v2.parquet", data_page_version="2.0", use_dictionary=False,
    column_encoding={"time": "DELTA_BINARY_PACKED", "workload": "DELTA_BYTE_ARRAY", "metric": "DELTA_LENGTH_BYTE_ARRAY", "value": "BYTE_STREAM_SPLIT"})
large = pa.schema([("workload", pa.large_string()), ("metric", pa.large_string()), ("time", pa.int64()), ("value", pa.float64())])
pq.write_table(table.select(large.names).cast(large), "large_string.parquet")
small = pa.schema([("workload", pa.string()), ("metric", pa.string()), ("time", pa.int64()), ("value", pa.decimal128(9, 3))])
pq.write_table(table.select(small.names).cast(small), "decimal.parquet", store_decimal_as_integer=True)
holes = base.copy(); holes.loc[holes.index % 10 == 0, "value"] = None
holes.to_parquet("holes.parquet"); holes.to_csv("holes.csv", index=False)
"#;

#[test]
fn what_python_writes_is_read() {
    let dir = tempfile::tempdir().unwrap();
    if python(dir.path(), MAKE).is_none() {
        return;
    }
    let plain = Trace::read(&dir.path().join("plain.parquet")).unwrap();
    assert_eq!((plain.len(), plain.report().rows), (2, 20_000));
    let web = plain.get(&WorkloadId::new("web"), &Metric::new("cpu_cores")).unwrap();
    assert_eq!((web.times_s()[1], web.values()[1], web.step_s()), (1_700_000_060, 0.25, 60));
    let same = [
        "gzip",
        "none",
        "lz4",
        "category",
        "float32",
        "int32",
        "datetime_s",
        "datetime_ms",
        "datetime_us",
        "datetime_ns",
        "int96",
        "utc",
        "order",
        "shuffled",
        "groups",
        "v2",
        "large_string",
    ];
    let same = same.iter().map(|name| format!("{name}.parquet"));
    for name in same.chain(["plain.csv".to_owned(), "index.csv".to_owned()]) {
        let trace = Trace::read(&dir.path().join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(trace.report().digest, plain.report().digest, "{name}");
        assert_eq!(trace.report().sorted_series, if name.starts_with("shuffled") { 2 } else { 0 }, "{name}");
    }
    let whole = Trace::read(&dir.path().join("int_value.parquet")).unwrap();
    let web = whole.get(&WorkloadId::new("web"), &Metric::new("cpu_cores")).unwrap();
    assert_eq!(web.values()[..3], [0.0, 2.0, 4.0]);
    for name in ["holes.parquet", "holes.csv"] {
        let trace = Trace::read(&dir.path().join(name)).unwrap();
        assert_eq!((trace.report().rows, trace.report().gaps), (20_000, 2_000), "{name}");
    }
}

#[test]
fn wrong_types_name_the_column() {
    let dir = tempfile::tempdir().unwrap();
    let program = r#"
import pandas as pd
base = pd.DataFrame({"workload": ["a", "b"], "metric": "m", "time": [1, 2], "value": [1.0, 2.0]})
base.assign(time=["one", "two"]).to_parquet("time.parquet")
base.assign(time=[1.0, 2.0]).to_parquet("float_time.parquet")
base.assign(value=["1", "2"]).to_parquet("value.parquet")
base.assign(value=[[1.0], [2.0]]).to_parquet("list.parquet")
base.assign(workload=[1, 2]).to_parquet("workload.parquet")
base.assign(workload=["a", None]).to_parquet("null.parquet")
base.assign(time=pd.array([1, None], dtype="Int64")).to_parquet("null_time.parquet")
base.assign(metric="cpu_cores", value=[1.0, -2.0]).to_parquet("negative.parquet")
base.drop(columns="metric").to_parquet("missing.parquet")
base.head(0).to_parquet("empty.parquet")
"#;
    if python(dir.path(), program).is_none() {
        return;
    }
    for (name, expect) in [
        ("time", &["column time", "String", "seconds"][..]),
        ("float_time", &["column time", "DOUBLE"]),
        ("value", &["column value", "a number"]),
        ("list", &["no column value"]),
        ("workload", &["column workload", "INT64", "text"]),
        ("null", &["row 2, column workload", "null is not a name"]),
        ("null_time", &["row 2, column time", "null"]),
        ("negative", &["row 2, column value", "-2", "never negative"]),
        ("missing", &["no column metric", "workload, time, value"]),
        ("empty", &["has no rows"]),
    ] {
        let error = Trace::read(&dir.path().join(format!("{name}.parquet"))).unwrap_err().to_string();
        for expect in expect {
            assert!(error.contains(expect), "{name}: {error} lacks {expect}");
        }
    }
}

#[test]
fn what_is_written_is_read_by_python() {
    let dir = tempfile::tempdir().unwrap();
    let (workload, metric) = (WorkloadId::new("größe"), Metric::new("cpu_cores"));
    let rows = (0..500).map(|step| std::array::from_fn(|level| (step * 10 + level) as f32 / 4.0)).collect();
    let forecast = Forecast::new(1_700_000_000, 300, "test", rows, 0.0);
    let allocations: Vec<(i64, f64)> = vec![(60, 0.1), (120, f64::INFINITY)];
    for ending in ["parquet", "csv"] {
        let forecasts = [(&workload, &metric, &forecast), (&workload, &metric, &forecast)];
        write_forecasts(&dir.path().join(format!("f.{ending}")), forecasts).unwrap();
        let decisions = [(&workload, &metric, &allocations[..])];
        write_decisions(&dir.path().join(format!("d.{ending}")), decisions).unwrap();
    }
    let program = r#"
import pandas as pd
for read, ending in [(pd.read_parquet, "parquet"), (pd.read_csv, "csv")]:
    f, d = read(f"f.{ending}"), read(f"d.{ending}")
    assert list(f.columns) == ["workload", "metric", "time"] + [f"q0.{k}" for k in range(1, 10)], f.columns
    assert len(f) == 1000 and f.time.dtype == "int64" and f.workload[0] == "größe"
    assert f.time[1] == 1_700_000_300 and f["q0.3"][1] == 3.0 and f["q0.9"][499] == 1249.5
    assert list(d.columns) == ["workload", "metric", "time", "allocation"] and d.allocation.dtype == "float64"
    assert list(d.allocation) == [0.1, float("inf")] and list(d.time) == [60, 120]
print("read")
"#;
    if let Some(said) = python(dir.path(), program) {
        assert_eq!(said, "read\n");
    }
}
