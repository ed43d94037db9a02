//! The metrics that collectors of this machine give, made once: a name is shared text, cheap to copy.

use apportion_core::{Metric, metric::name};

macro_rules! metrics {
    ($($field:ident = $name:ident),* $(,)?) => {
        #[derive(Clone, Debug)]
        pub(crate) struct Metrics { $(pub(crate) $field: Metric),* }
        impl Default for Metrics {
            fn default() -> Self {
                Self { $($field: Metric::new(name::$name)),* }
            }
        }
    };
}

metrics! {
    cpu = CPU,
    throttled = CPU_THROTTLED,
    throttled_periods = CPU_THROTTLED_PERIODS,
    periods = CPU_PERIODS,
    memory = MEMORY,
    working_set = MEMORY_WORKING_SET,
    oom_kills = OOM_KILLS,
    io_read = IO_READ,
    io_write = IO_WRITE,
    receive = NETWORK_RECEIVE,
    send = NETWORK_SEND,
    cpu_pressure = CPU_PRESSURE,
    memory_pressure = MEMORY_PRESSURE,
    io_pressure = IO_PRESSURE,
    tasks = TASKS,
    load = LOAD,
}
