//! Kept inputs first, then as many changed ones as asked, from a seed that is printed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::dictionary;

/// Decides the changed inputs instead of a new seed.
const SEED: &str = "ROLLCALL_FUZZ_SEED";
/// Changes of one input.
const MOST_CHANGES: usize = 4;
/// Longer ones are cut.
const MAX_BYTES: usize = 64 * 1_024;

/// A target's inputs.
pub struct Feed {
    name: &'static str,
    kept: Vec<(PathBuf, Vec<u8>)>,
    /// Texts that mean something to the target.
    words: Vec<Vec<u8>>,
}

impl Feed {
    /// Of the folder `tests/fuzz/NAME` and the dictionary `tests/fuzz/NAME.dict`.
    pub fn of(name: &'static str) -> Self {
        let dictionary = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fuzz/{name}.dict"));
        let words = dictionary::read(&std::fs::read_to_string(dictionary).expect("a dictionary"));
        let feed = Self { name, kept: Vec::new(), words }.and(&format!("tests/fuzz/{name}"));
        assert!(!feed.kept.is_empty(), "no input of {name} is kept");
        feed
    }

    /// And of this folder of the crate.
    pub fn and(mut self, folder: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        self.kept.extend(files.into_iter().map(|path| {
            let input = std::fs::read(&path).expect("a kept input");
            (path, input)
        }));
        self
    }

    /// Feeds the kept inputs and so many changed ones.
    pub fn run(&self, changed: u32, target: impl Fn(&[u8])) {
        for (path, input) in &self.kept {
            self.feed(input, &target, &path.display().to_string());
        }
        let seed = std::env::var(SEED).map_or_else(|_| rand::random(), |text| text.parse().expect("a number"));
        println!("{}: {} kept inputs, {changed} changed ones, seed {seed}", self.name, self.kept.len());
        let mut random = StdRng::seed_from_u64(seed);
        for number in 0..changed {
            let input = self.changed(&mut random);
            self.feed(&input, &target, &format!("number {number} of seed {seed}"));
        }
    }

    fn feed(&self, input: &[u8], target: &impl Fn(&[u8]), what: &str) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.input", self.name));
            std::fs::write(&file, input).expect("written");
            println!("{what} fails: keep {} in tests/fuzz/{}, and repair it", file.display(), self.name);
            std::panic::resume_unwind(panic);
        }
    }

    fn changed(&self, random: &mut StdRng) -> Vec<u8> {
        let other = |random: &mut StdRng| &self.kept.choose(random).expect("there are some").1;
        let mut input = other(random).clone();
        for _ in 0..random.random_range(1..=MOST_CHANGES) {
            let at = random.random_range(0..=input.len());
            let end = random.random_range(at..=input.len().min(at + 64));
            match random.random_range(0..9) {
                0 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
                1 if at < input.len() => input[at] = random.random(),
                2 => input.insert(at, random.random_range(b' '..=b'~')),
                3 => drop(input.drain(at..end)),
                4 => {
                    let piece = input[at..end].to_vec();
                    let to = random.random_range(0..=input.len());
                    input.splice(to..to, piece);
                }
                5 => {
                    let tail = other(random);
                    let from = random.random_range(0..=tail.len());
                    input.truncate(at);
                    input.extend_from_slice(&tail[from..]);
                }
                6 => input.truncate(at),
                _ => {
                    let word = self.words.choose(random).expect("there are some");
                    // In the place of something, or between.
                    let end = if random.random() { at } else { end };
                    input.splice(at..end, word.iter().copied());
                }
            }
        }
        input.truncate(MAX_BYTES);
        input
    }
}
