//! What the invented workloads use: a pure function of name, metric and time.

use apportion_core::{Metric, Series, Window, metric::name};

pub const GIB: f64 = 1_073_741_824.0;
pub const MIB: f64 = 1_048_576.0;

/// How a workload behaves.
#[derive(Clone, Copy)]
pub struct Load {
    /// Greatest CPU of a usual day, cores.
    pub cpu_cores: f64,
    /// Usual memory, bytes.
    pub memory_bytes: f64,
    /// Storage and network at the greatest, bytes per second.
    pub flow_bytes_per_s: f64,
    /// How strongly the day shows, 0..1.
    pub day_share: f64,
    /// Hour (UTC) of the peak.
    pub peak_hour: f64,
    /// How often a burst comes, seconds; none where 0.
    pub burst_every_s: f64,
    /// Tells workloads apart.
    pub seed: u64,
}

impl Load {
    /// Expected value without noise; `None` for what this workload has not.
    pub fn mean(&self, metric: &str, t_s: f64) -> Option<f64> {
        let hour = (t_s / 3_600.0 - self.peak_hour) * std::f64::consts::TAU / 24.0;
        let day = 1.0 - self.day_share * (0.5 - 0.5 * hour.cos());
        let week = if ((t_s / 86_400.0) as i64 + 4).rem_euclid(7) >= 5 { 0.7 } else { 1.0 };
        let ripple = 1.0 + 0.08 * (t_s / 97.0 + self.seed as f64).sin();
        let activity = day * week * ripple * 0.62 + self.burst(t_s);
        match metric {
            name::CPU => Some(self.cpu_cores * activity),
            name::MEMORY_WORKING_SET => Some(self.memory_bytes * (0.72 + 0.2 * day + 0.03 * ripple)),
            name::MEMORY => Some(self.memory_bytes * (0.9 + 0.2 * day)),
            name::IO_READ => Some(self.flow_bytes_per_s * 0.3 * activity),
            name::IO_WRITE => Some(self.flow_bytes_per_s * 0.5 * activity),
            name::NETWORK_RECEIVE => Some(self.flow_bytes_per_s * 0.4 * activity),
            name::NETWORK_SEND => Some(self.flow_bytes_per_s * activity),
            name::CPU_PRESSURE => Some(0.02 * activity * activity),
            name::TASKS => Some(12.0 + (self.seed % 40) as f64),
            _ => None,
        }
    }

    fn burst(&self, t_s: f64) -> f64 {
        if self.burst_every_s <= 0.0 {
            return 0.0;
        }
        let phase = (t_s + self.seed as f64 * 37.0).rem_euclid(self.burst_every_s) / self.burst_every_s;
        if phase < 0.04 { 0.3 * (phase / 0.04 * std::f64::consts::PI).sin() } else { 0.0 }
    }

    /// What is measured: the expectation with noise, the same at every call.
    pub fn measured(&self, metric: &str, t_s: f64) -> Option<f64> {
        let spread = if metric.starts_with("memory") { 0.01 } else { 0.12 };
        let noise = noise(self.seed, metric.len() as u64, t_s as i64);
        self.mean(metric, t_s).map(|mean| (mean * (1.0 + spread * noise)).max(0.0))
    }

    /// The past on a grid, with one gap a week.
    pub fn series(&self, metric: &Metric, window: Window) -> Option<Series> {
        self.mean(metric.as_str(), 0.0)?;
        let mut series = Series::gap(window);
        for index in 0..series.len() {
            let t_s = series.time_s(index);
            if t_s.rem_euclid(604_800) >= 9_000 {
                let value = self.measured(metric.as_str(), t_s as f64);
                series.values[index] = value.map_or(f32::NAN, |value| value as f32);
            }
        }
        Some(series)
    }
}

/// About normal, between -3 and 3.
fn noise(seed: u64, stream: u64, t_s: i64) -> f64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03) ^ t_s as u64;
    let mut uniform = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..6).map(|_| uniform()).sum::<f64>() - 3.0
}
