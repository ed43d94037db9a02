//! Simulated worlds from traces, the peers' algorithms, scores and reports.
