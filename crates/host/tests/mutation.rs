//! Every parser against mutated seeds of the fuzzer; `fuzz/` has the real fuzzer.

#![allow(unreachable_pub, reason = "a test binary has no outside")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and says what it left out")]

#[path = "../../../fuzz/bodies.rs"]
mod bodies;
#[path = "../../../fuzz/mutation.rs"]
mod mutation;

macro_rules! parsers {
    ($($name:ident)+) => {
        $(#[test]
        fn $name() {
            mutation::check(stringify!($name), bodies::$name, usize::MAX);
        })+
    };
}

parsers! { cgroup_files mountinfo proc_files prometheus csv parquet limit_files network chunks }
