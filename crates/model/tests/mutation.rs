//! Every file of weights against mutated seeds of the fuzzer; `fuzz/` has the real fuzzer. Half of the inputs are changed near the
//! beginning only, where sizes, names and shapes are.

#![allow(unreachable_pub, reason = "a test binary has no outside")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and says what it left out")]

#[path = "../../../fuzz/model_bodies.rs"]
mod bodies;
#[path = "../../../fuzz/mutation.rs"]
mod mutation;

macro_rules! files {
    ($($name:ident)+) => {
        $(#[test]
        fn $name() {
            mutation::check(stringify!($name), bodies::$name, 4_096);
            mutation::check(stringify!($name), bodies::$name, usize::MAX);
        })+
    };
}

files! { weight_file bolt_file checkpoint }
