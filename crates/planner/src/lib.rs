//! Forecaster choice and calibration, sizing and sharing: a pure function of (snapshot, now, seed).
