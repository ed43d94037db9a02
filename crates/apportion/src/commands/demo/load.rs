//! The three small workloads of the demonstration. Each runs as a process of its own.

use clap::ValueEnum;
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// The day of the demonstration: what repeats daily repeats after this many seconds.
const DAY_S: f64 = 60.0;
/// Length of one slice of work and rest.
const SLICE: Duration = Duration::from_millis(50);

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Load {
    /// A daily wave of CPU.
    Wave,
    /// A burst of CPU under 2 % of the day.
    Burst,
    /// Memory that grows.
    Grower,
}

impl Load {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Wave, Self::Burst, Self::Grower];

    /// Name of its workload.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wave => "wave",
            Self::Burst => "burst",
            Self::Grower => "grower",
        }
    }

    /// Cores wanted `elapsed_s` after the start.
    #[must_use]
    pub fn cores(self, elapsed_s: f64) -> f64 {
        let day = (elapsed_s / DAY_S).fract();
        match self {
            Self::Wave => 0.25 - 0.2 * (day * std::f64::consts::TAU).cos(),
            Self::Burst if (0.5..0.518).contains(&day) => 0.8,
            Self::Burst | Self::Grower => 0.01,
        }
    }

    /// Bytes wanted `elapsed_s` after the start.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some MiB")]
    pub fn memory_bytes(self, elapsed_s: f64) -> usize {
        match self {
            Self::Wave | Self::Burst => 8 << 20,
            Self::Grower => (16 << 20) + (elapsed_s.min(600.0) * 256.0 * 1024.0) as usize,
        }
    }

    /// Wants it for `seconds`, from the end of standard input on.
    pub fn run(self, seconds: f64) {
        detach();
        // Whatever comes or fails to come, the wait is over.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let begin = Instant::now();
        let mut held: Vec<u8> = Vec::new();
        while begin.elapsed().as_secs_f64() < seconds {
            let elapsed_s = begin.elapsed().as_secs_f64();
            grow(&mut held, self.memory_bytes(elapsed_s));
            work(SLICE.mul_f64(self.cores(elapsed_s).min(1.0)));
            std::thread::sleep(SLICE.mul_f64(1.0 - self.cores(elapsed_s).min(1.0)));
        }
        black_box(held.len());
    }
}

/// Begins a session of its own, by which the loads are told apart where no group does that. What ends the session of the demonstration
/// does not reach it there, so that it ends with the demonstration itself. Neither can fail in a process that has just been started.
fn detach() {
    let _ = rustix::process::setsid();
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

/// Holds `bytes`, every page touched.
fn grow(held: &mut Vec<u8>, bytes: usize) {
    if bytes > held.len() {
        held.resize(bytes, 1);
    }
}

/// Keeps one core busy for that long.
fn work(time: Duration) {
    let begin = Instant::now();
    let mut sum = 0_u64;
    while begin.elapsed() < time {
        for step in 0..1_000_u64 {
            sum = black_box(sum.wrapping_mul(31).wrapping_add(step));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_burst_is_under_two_percent_of_the_day() {
        let steps = 10_000;
        let busy =
            (0..steps).filter(|step| Load::Burst.cores(f64::from(*step) / f64::from(steps) * DAY_S) > 0.5).count();
        assert!(busy > 0 && busy < 200, "{busy}");
    }

    #[test]
    fn the_wave_repeats_and_the_grower_grows() {
        assert!((Load::Wave.cores(7.0) - Load::Wave.cores(7.0 + DAY_S)).abs() < 1e-9);
        assert!((Load::Wave.cores(DAY_S / 2.0) - 0.45).abs() < 1e-9);
        assert!(Load::Grower.memory_bytes(60.0) > Load::Grower.memory_bytes(0.0) + (10 << 20));
    }
}
