//! The cgroup trees as files: where they are mounted, what a group holds.
