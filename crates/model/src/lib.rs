//! Tensors only: layers, optimiser, the telemetry Transformer and its recurrent baseline.
