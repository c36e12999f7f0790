//! A dictionary as libFuzzer reads it too: a word a line, `"https://"`; in it stand `\\`, `\"` and, for a byte, `\x0a`.

/// The words; a line that is none ends the test, so that none is lost without a sound.
pub fn read(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| word(line).unwrap_or_else(|| panic!("{line:?} is no line of a dictionary"))).collect()
}

fn word(line: &str) -> Option<Vec<u8>> {
    let mut bytes = line.strip_prefix('"')?.strip_suffix('"')?.bytes();
    let mut word = Vec::new();
    while let Some(byte) = bytes.next() {
        word.push(match byte {
            b'\\' => match bytes.next()? {
                itself @ (b'\\' | b'"') => itself,
                b'x' => hex::decode([bytes.next()?, bytes.next()?]).ok()?[0],
                _ => return None,
            },
            b' '..=b'~' => byte,
            _ => return None,
        });
    }
    (!word.is_empty()).then_some(word)
}

#[test]
fn words_are_their_bytes() {
    assert_eq!(read("\"a b\"\n\"\\x0a\\\\\\\"\\xff\"\n"), [b"a b".to_vec(), b"\n\\\"\xff".to_vec()]);
    for line in ["", "a", "\"", "\"\"", "\"\\\"", "\"\\n\"", "\"\\x0\"", "\"\\xzz\"", "\"é\""] {
        assert_eq!(word(line), None, "{line}");
    }
}
