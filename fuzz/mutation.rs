//! Mutated seeds of the fuzzer for the tests of the crates: the same inputs each time, by number.
//!
//! `APPORTION_FUZZ_INPUTS` sets how many inputs each parser gets (2,000 unless told).

use std::{fs, path::PathBuf};

/// A small generator (splitmix64), so that an input is its number.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

/// What parsers stumble over.
const TOKENS: [&[u8]; 14] = [
    b"18446744073709551616",
    b"-1",
    b"9223372036854775807",
    b"0",
    b"\n",
    b" ",
    b":",
    b",",
    b"\"",
    b"\xff\xfe",
    b"\0",
    b"NaN",
    b"1e309",
    b"{",
];

fn mutate(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(16)).min(bytes.len());
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..end, TOKENS[random.below(TOKENS.len())].iter().copied())),
            3 => drop(bytes.splice(at..at, other[random.below(other.len())..].to_vec())),
            4 => bytes.extend_from_within(at..end),
            _ => bytes[at.min(seed.len().max(1) - 1)..end].iter_mut().for_each(|byte| *byte ^= 1 << random.below(8)),
        }
    }
    bytes
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned()
}

/// Runs a body on every seed of its name, and on seeds of which something among the first `head` bytes was changed.
pub fn check(name: &str, body: fn(&[u8]), head: usize) {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(name);
    let mut seeds: Vec<PathBuf> =
        fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    seeds.sort();
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|path| fs::read(path).unwrap()).collect();
    if seeds.is_empty() {
        println!("LEFT OUT: no seeds in {}", dir.display());
        return;
    }
    let inputs = std::env::var("APPORTION_FUZZ_INPUTS").map_or(2_000, |inputs| inputs.parse().unwrap());
    seeds.iter().for_each(|seed| body(seed));
    for input in 0..inputs {
        let mut random = Random(input);
        let seed = random.below(seeds.len());
        let other = random.below(seeds.len());
        let (changed, rest) = seeds[seed].split_at(head.min(seeds[seed].len()));
        let mut bytes = mutate(changed, &seeds[other], &mut random);
        bytes.extend_from_slice(rest);
        let outcome = std::panic::catch_unwind(|| body(&bytes));
        assert!(outcome.is_ok(), "{name}: input {input} of {} bytes: {:?}", bytes.len(), shown(&bytes));
    }
    println!("{name}: {inputs} inputs from {} seeds", seeds.len());
}
