//! Collectors: cgroup trees, /proc, Prometheus.
