//! Max-min fair sharing where there is less than is wanted: strict tiers of priority, weighted max-min inside a tier
//! (Bertsekas and Gallager, *Data Networks*, 6.5.2; progressive filling).
//!
//! First everyone gets the least that keeps them going, tiers in order; then tiers in order are filled up to what they want.
//! Properties (tested): never more than there is, unless floors alone exceed it; nothing left while someone wants more; never
//! more than wanted; more capacity never gives anyone less; the order of claims does not matter; among equals with unmet wants,
//! what exceeds the least is in proportion to weight.

/// What one asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// Cannot be given less than this: people said so. Not negative.
    pub floor: f64,
    /// The least that keeps it going; served first.
    pub least: f64,
    /// What it wants.
    pub wanted: f64,
    /// Higher is served first.
    pub priority: u8,
    /// Share among equals; positive.
    pub weight: f64,
}

/// What each gets of `capacity`, in the order of the claims.
#[must_use]
pub fn share(capacity: f64, claims: &[Claim]) -> Vec<f64> {
    let wanted: Vec<f64> = claims.iter().map(|claim| finite(claim.wanted).max(finite(claim.floor))).collect();
    let mut given: Vec<f64> = claims.iter().map(|claim| finite(claim.floor)).collect();
    let mut left = (finite(capacity) - given.iter().sum::<f64>()).max(0.0);
    let least: Vec<f64> = claims.iter().zip(&wanted).map(|(claim, wanted)| finite(claim.least).min(*wanted)).collect();
    for goal in [least, wanted] {
        for tier in tiers(claims) {
            left = fill(left, &tier, claims, &goal, &mut given);
        }
    }
    given
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value.max(0.0) } else { 0.0 }
}

/// Places of the claims by priority, highest first.
fn tiers(claims: &[Claim]) -> Vec<Vec<usize>> {
    let mut priorities: Vec<u8> = claims.iter().map(|claim| claim.priority).collect();
    priorities.sort_unstable_by(|a, b| b.cmp(a));
    priorities.dedup();
    let of = |priority| (0..claims.len()).filter(|place| claims[*place].priority == priority).collect();
    priorities.into_iter().map(of).collect()
}

/// Raises a tier towards `goal`, what is added being in proportion to weight; gives what is left.
fn fill(left: f64, tier: &[usize], claims: &[Claim], goal: &[f64], given: &mut [f64]) -> f64 {
    let weight =
        |place: usize| if claims[place].weight > 0.0 { finite(claims[place].weight) } else { f64::MIN_POSITIVE };
    let short = |place: usize, given: &[f64]| (goal[place] - given[place]).max(0.0);
    let mut open: Vec<usize> = tier.iter().copied().filter(|place| short(*place, given) > 0.0).collect();
    // Those that need least by weight are full first; equal ones by place, which cannot change what they get.
    open.sort_by(|a, b| (short(*a, given) / weight(*a)).total_cmp(&(short(*b, given) / weight(*b))).then(a.cmp(b)));
    let mut weights: f64 = open.iter().map(|place| weight(*place)).sum();
    let mut left = left;
    for place in open {
        let add = short(place, given).min(left * weight(place) / weights);
        given[place] += add;
        left -= add;
        weights -= weight(place);
    }
    left.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim(wanted: f64, priority: u8, weight: f64) -> Claim {
        Claim { floor: 0.0, least: 0.0, wanted, priority, weight }
    }

    fn check(capacity: f64, claims: &[Claim], expect: &[f64]) {
        let given = share(capacity, claims);
        let same = given.iter().zip(expect).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(same && given.len() == expect.len(), "{given:?} is not {expect:?}");
    }

    #[test]
    fn by_hand() {
        check(10.0, &[claim(2.0, 1, 1.0), claim(8.0, 1, 1.0), claim(8.0, 1, 1.0)], &[2.0, 4.0, 4.0]);
        check(9.0, &[claim(8.0, 1, 2.0), claim(8.0, 1, 1.0)], &[6.0, 3.0]);
        check(10.0, &[claim(8.0, 0, 9.0), claim(7.0, 2, 1.0)], &[3.0, 7.0]);
        check(4.0, &[Claim { least: 3.0, ..claim(8.0, 0, 1.0) }, claim(8.0, 3, 1.0)], &[3.0, 1.0]);
        check(
            4.0,
            &[Claim { floor: 3.0, ..claim(8.0, 0, 1.0) }, Claim { floor: 2.0, ..claim(8.0, 3, 1.0) }],
            &[3.0, 2.0],
        );
        check(4.0, &[], &[]);
        check(f64::NAN, &[claim(1.0, 1, 1.0)], &[0.0]);
    }

    prop_compose! {
        fn claims()(raw in prop::collection::vec((0.0..2.0, 0.0..3.0, 0.0..9.0, 0_u8..4, 0.1..4.0), 1..12)) -> Vec<Claim> {
            raw.into_iter().map(|(floor, least, wanted, priority, weight)| Claim { floor, least, wanted, priority, weight }).collect()
        }
    }

    const EPS: f64 = 1e-6;

    proptest! {
        #[test]
        fn is_fair(claims in claims(), capacity in 0.0..60.0) {
            let given = share(capacity, &claims);
            let floors: f64 = claims.iter().map(|claim| claim.floor).sum();
            let total: f64 = given.iter().sum();
            prop_assert!(total <= capacity.max(floors) + EPS);
            for (claim, given) in claims.iter().zip(&given) {
                prop_assert!(*given >= claim.floor - EPS && *given <= claim.wanted.max(claim.floor) + EPS);
            }
            let unmet = claims.iter().zip(&given).any(|(claim, given)| claim.wanted > given + EPS);
            prop_assert!(!unmet || total >= capacity - EPS, "{} left of {capacity}", capacity - total);
        }

        #[test]
        fn more_capacity_never_gives_less(claims in claims(), capacity in 0.0..60.0, more in 0.0..10.0) {
            for (before, after) in share(capacity, &claims).iter().zip(share(capacity + more, &claims)) {
                prop_assert!(after >= before - EPS);
            }
        }

        #[test]
        fn order_does_not_matter(claims in claims(), capacity in 0.0..60.0, turn in 0_usize..12) {
            let mut turned = claims.clone();
            let turn = turn % claims.len();
            turned.rotate_left(turn);
            let mut given = share(capacity, &turned);
            given.rotate_right(turn);
            for (a, b) in share(capacity, &claims).iter().zip(given) {
                prop_assert!((a - b).abs() < EPS);
            }
        }

        #[test]
        fn a_higher_tier_is_served_first(claims in claims(), capacity in 0.0..60.0) {
            let given = share(capacity, &claims);
            let least = |claim: &Claim| claim.least.min(claim.wanted).max(claim.floor);
            for (high, got) in claims.iter().zip(&given) {
                let unmet = high.wanted > got + EPS;
                for (low, low_got) in claims.iter().zip(&given).filter(|(low, _)| low.priority < high.priority) {
                    prop_assert!(!unmet || *low_got <= least(low) + EPS, "{low:?} got {low_got} before {high:?} got {got}");
                }
            }
        }

        #[test]
        fn among_equals_a_greater_weight_gets_no_less(wants in prop::collection::vec((0.0..9.0, 0.1..4.0), 2..9), capacity in 0.0..30.0) {
            let claims: Vec<Claim> = wants.into_iter().map(|(wanted, weight)| claim(wanted, 1, weight)).collect();
            let given = share(capacity, &claims);
            for (a, x) in claims.iter().zip(&given) {
                for (b, y) in claims.iter().zip(&given) {
                    let less = x / a.weight < y / b.weight - EPS;
                    prop_assert!(!less || *x >= a.wanted - EPS, "{a:?} {x} {b:?} {y}");
                }
            }
        }
    }
}
