//! Damaged histories of others are read or refused; `examples/fuzz_foreign.rs` goes on for longer.

mod mutations;

use perjury_history::foreign::Format;

/// Enough to meet every kind of damage.
const CASES: u64 = 3_000;

#[test]
fn damaged_histories_are_read_or_refused() {
    for format in Format::ALL {
        let mut read = 0;
        for seed in 0..CASES {
            let bytes = mutations::damaged(seed, format);
            match mutations::check(&bytes, format) {
                Ok(whole) => read += u64::from(whole),
                Err(problem) => {
                    let text = String::from_utf8_lossy(&bytes);
                    panic!("{format}, seed {seed}: {problem}\nin:\n{text}");
                }
            }
        }
        // Damage that leaves nothing to read, or nothing to refuse, would test nothing.
        assert!(read > CASES / 20 && read < CASES - CASES / 20, "{format}: {read} were read");
    }
}
