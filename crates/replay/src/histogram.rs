//! The histogram of the Kubernetes VPA, which Crane also uses.
//! Source: kubernetes/autoscaler `vertical-pod-autoscaler/pkg/recommender/util/{histogram,decaying_histogram,histogram_options}.go`.

/// Where buckets begin. Bucket 0 begins at 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Buckets {
    /// All of one size.
    Linear { size: f64, count: usize },
    /// The first of size `first`, each next one `ratio` times as large.
    Exponential { first: f64, ratio: f64, count: usize },
}

impl Buckets {
    /// Buckets of one size up to `most`.
    pub(crate) fn linear(most: f64, size: f64) -> Self {
        Self::Linear { size, count: index((most / size).ceil()) + 1 }
    }
    /// Growing buckets; the last one begins at or after `most`.
    pub(crate) fn exponential(most: f64, first: f64, ratio: f64) -> Self {
        let count = index(((most * (ratio - 1.0) / first + 1.0).ln() / ratio.ln()).ceil()) + 1;
        Self::Exponential { first, ratio, count }
    }
    pub(crate) const fn count(&self) -> usize {
        match self {
            Self::Linear { count, .. } | Self::Exponential { count, .. } => *count,
        }
    }
    pub(crate) fn find(&self, value: f64) -> usize {
        let bucket = match *self {
            Self::Linear { size, .. } => index(value / size),
            Self::Exponential { first, .. } if value < first => 0,
            Self::Exponential { first, ratio, .. } => index((value * (ratio - 1.0) / first + 1.0).ln() / ratio.ln()),
        };
        bucket.min(self.count() - 1)
    }
    pub(crate) fn start(&self, bucket: usize) -> f64 {
        match *self {
            Self::Linear { size, .. } => bucket as f64 * size,
            Self::Exponential { first, ratio, .. } => first * (ratio.powf(bucket as f64) - 1.0) / (ratio - 1.0),
        }
    }
    /// Upper bound of a bucket; the last one has none, and gives its start.
    pub(crate) fn end(&self, bucket: usize) -> f64 {
        self.start((bucket + 1).min(self.count() - 1))
    }
}

/// Whole part of a number that is not negative (0 otherwise).
#[allow(clippy::cast_sign_loss, reason = "held above zero")]
pub(crate) fn index(value: f64) -> usize {
    value.max(0.0) as usize
}

/// Weights per bucket.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Histogram {
    buckets: Buckets,
    /// A bucket with less weight counts as empty.
    epsilon: f64,
    weights: Vec<f64>,
    total: f64,
    lowest: usize,
    highest: usize,
}

impl Histogram {
    pub(crate) fn new(buckets: Buckets, epsilon: f64) -> Self {
        let count = buckets.count();
        Self { buckets, epsilon, weights: vec![0.0; count], total: 0.0, lowest: count - 1, highest: 0 }
    }
    pub(crate) fn add(&mut self, value: f64, weight: f64) {
        let bucket = self.buckets.find(value);
        self.weights[bucket] += weight;
        self.total += weight;
        if self.weights[bucket] >= self.epsilon {
            self.lowest = self.lowest.min(bucket);
            self.highest = self.highest.max(bucket);
        }
    }
    pub(crate) fn subtract(&mut self, value: f64, weight: f64) {
        let less = |from: f64| if from - weight < self.epsilon { 0.0 } else { from - weight };
        let bucket = self.buckets.find(value);
        let (total, left) = (less(self.total), less(self.weights[bucket]));
        self.total = total;
        self.weights[bucket] = left;
        while self.weights[self.lowest] < self.epsilon && self.lowest < self.weights.len() - 1 {
            self.lowest += 1;
        }
        while self.weights[self.highest] < self.epsilon && self.highest > 0 {
            self.highest -= 1;
        }
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.weights[self.lowest] < self.epsilon
    }
    /// End of the first bucket at which `share` of the weight is reached; 0 when empty.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        let threshold = share * self.total;
        let mut sum = 0.0;
        let mut bucket = self.lowest;
        while bucket < self.highest {
            sum += self.weights[bucket];
            if sum >= threshold {
                break;
            }
            bucket += 1;
        }
        self.buckets.end(bucket)
    }
    fn scale(&mut self, factor: f64) {
        for weight in &mut self.weights {
            *weight *= factor;
        }
        self.total *= factor;
        while self.weights[self.lowest] < self.epsilon && self.lowest < self.weights.len() - 1 {
            self.lowest += 1;
        }
        while self.weights[self.highest] < self.epsilon && self.highest > 0 {
            self.highest -= 1;
        }
    }
}

/// Weights grow with time, so that older ones count for less: they halve in a half-life.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DecayingHistogram {
    histogram: Histogram,
    half_life_s: f64,
    reference_s: f64,
}

/// Beyond so many half-lives the weights are scaled down.
const MOST_HALF_LIVES: f64 = 100.0;

impl DecayingHistogram {
    pub(crate) fn new(buckets: Buckets, epsilon: f64, half_life_s: f64) -> Self {
        Self { histogram: Histogram::new(buckets, epsilon), half_life_s, reference_s: 0.0 }
    }
    pub(crate) fn add(&mut self, value: f64, weight: f64, time_s: f64) {
        let factor = self.factor(time_s);
        self.histogram.add(value, weight * factor);
    }
    pub(crate) fn subtract(&mut self, value: f64, weight: f64, time_s: f64) {
        let factor = self.factor(time_s);
        self.histogram.subtract(value, weight * factor);
    }
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        self.histogram.percentile(share)
    }
    fn factor(&mut self, time_s: f64) -> f64 {
        if time_s > self.reference_s + self.half_life_s * MOST_HALF_LIVES {
            let reference = (time_s / self.half_life_s).round() * self.half_life_s;
            self.histogram.scale(((self.reference_s - reference) / self.half_life_s).round().exp2());
            self.reference_s = reference;
        }
        ((time_s - self.reference_s) / self.half_life_s).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPSILON: f64 = 1e-15;
    const HOUR_S: f64 = 3_600.0;
    const START_S: f64 = 1_234_567_890.0;

    fn check(percentile: impl Fn(f64) -> f64, expect: &[(f64, f64)]) {
        for (share, value) in expect {
            assert!((percentile(*share) - value).abs() < 1e-12, "P{share}: {} for {value}", percentile(*share));
        }
    }

    /// `TestLinearHistogramOptions`, `TestExponentialHistogramOptions` of histogram_options_test.go.
    #[test]
    fn buckets_are_those_of_upstream() {
        let finds = |buckets: Buckets, expect: &[(f64, usize)]| {
            for (value, bucket) in expect {
                assert_eq!(buckets.find(*value), *bucket, "{value} in {buckets:?}");
            }
        };
        let linear = Buckets::linear(5.0, 0.3);
        assert_eq!((linear.count(), linear.start(0), linear.start(17)), (18, 0.0, 17.0 * 0.3));
        finds(linear, &[(-1.0, 0), (0.0, 0), (1.3, 4), (100.0, 17)]);
        let growing = Buckets::exponential(500.0, 40.0, 1.5);
        let starts: Vec<f64> = (0..growing.count()).map(|bucket| growing.start(bucket)).collect();
        assert_eq!(starts, [0.0, 40.0, 100.0, 190.0, 325.0, 527.5]);
        finds(growing, &[(-1.0, 0), (39.99, 0), (40.0, 1), (100.0, 2), (900.0, 5)]);
    }

    /// `TestPercentiles`, `TestPercentilesEmptyHistogram` of histogram_test.go.
    #[test]
    fn percentiles_are_those_of_upstream() {
        let mut histogram = Histogram::new(Buckets::linear(10.0, 1.0), EPSILON);
        check(|share| histogram.percentile(share), &[(-0.5, 0.0), (0.5, 0.0), (1.5, 0.0)]);
        (1..=4).map(f64::from).for_each(|value| histogram.add(value, value));
        let expect = [(0.0, 2.0), (0.1, 2.0), (0.2, 3.0), (0.3, 3.0), (0.4, 4.0), (0.6, 4.0), (0.7, 5.0), (1.0, 5.0)];
        check(|share| histogram.percentile(share), &expect);
    }

    /// `TestPercentileOutOfBounds`.
    #[test]
    fn percentiles_beyond_the_ends_are_those_of_upstream() {
        let mut histogram = Histogram::new(Buckets::linear(1.0, 0.1), EPSILON);
        histogram.add(0.1, 0.1);
        histogram.add(0.2, 0.2);
        check(|share| histogram.percentile(share), &[(-0.1, 0.2), (1.1, 0.3)]);
        histogram.add(0.0, 0.1);
        histogram.add(1.0, 0.2);
        check(|share| histogram.percentile(share), &[(-0.1, 0.1), (1.1, 1.0)]);
    }

    /// `TestEmptyHistogram`.
    #[test]
    fn a_weight_below_epsilon_is_empty() {
        let mut histogram = Histogram::new(Buckets::linear(1.0, 0.1), EPSILON);
        assert!(histogram.is_empty());
        histogram.add(0.1, EPSILON * 2.5);
        histogram.subtract(0.1, EPSILON);
        assert!(!histogram.is_empty());
        histogram.subtract(0.1, EPSILON);
        assert!(histogram.is_empty());
    }

    fn decaying() -> DecayingHistogram {
        DecayingHistogram::new(Buckets::linear(10.0, 1.0), EPSILON, HOUR_S)
    }

    /// `TestSimpleDecay`, `TestLongtermDecay`, `TestDecayingHistogramPercentiles` of decaying_histogram_test.go.
    #[test]
    fn decay_is_that_of_upstream() {
        let mut simple = decaying();
        simple.add(2.0, 1_000.0, START_S);
        simple.add(1.0, 1.0, START_S + 20.0 * HOUR_S);
        check(|share| simple.percentile(share), &[(0.999, 2.0), (1.0, 3.0)]);

        let mut long = decaying();
        long.add(2.0, 1.0, START_S);
        long.add(1.0, 1.0, START_S + 101.0 * HOUR_S);
        check(|share| long.percentile(share), &[(1.0, 2.0)]);

        let mut four = decaying();
        (1..=4).map(f64::from).for_each(|k| four.add(k, k, START_S + (k - 1.0) * HOUR_S));
        let expect =
            [(0.0, 2.0), (0.02, 2.0), (0.03, 3.0), (0.1, 3.0), (0.11, 4.0), (0.34, 4.0), (0.35, 5.0), (1.0, 5.0)];
        check(|share| four.percentile(share), &expect);
    }

    #[test]
    fn the_vpa_has_176_buckets_and_rounds_up_as_upstream_does() {
        let cpu = Buckets::exponential(1_000.0, 0.01, 1.05);
        assert_eq!(cpu.count(), 176);
        assert_eq!(Buckets::exponential(1e12, 1e7, 1.05).count(), 176);
        for (usage, end) in [(0.025, 0.0315), (0.05, 0.0553), (0.1, 0.1103), (0.25, 0.258), (1.0, 1.016), (2.0, 2.094)]
        {
            let found = cpu.end(cpu.find(usage));
            assert!((found / end - 1.0).abs() < 2e-3, "{usage}: {found}");
        }
    }
}
