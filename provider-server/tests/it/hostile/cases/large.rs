//! Answers that have no end, or none that anybody wants to read.

use std::io::{Cursor, Read as _, Write as _};

use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::{super::receivers::Step::Flood, Case};

const MIB: usize = 1 << 20;
/// The most that is read of an answer.
const READ_BYTES: usize = 64 * 1_024;

pub fn all() -> Vec<Case> {
    let too_large = ("too_large", "head", 0);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n";
    let bomb = bomb();
    let packed = format!("HTTP/1.1 500 No\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len());
    let lines: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    vec![
        Case::goes_on("an endless body", "HTTP/1.1 200 OK\r\n\r\n", Flood(vec![b'a'; MIB]), ("", "", 200))
            .several()
            .reads(READ_BYTES),
        Case::goes_on(
            "an endless body of a failure",
            "HTTP/1.1 500 No\r\n\r\n",
            Flood(vec![b'a'; MIB]),
            ("http", "", 500),
        )
        .several()
        .reads(READ_BYTES),
        Case::goes_on("an endless chunk", chunked, Flood(vec![b'a'; MIB]), ("", "", 200)).several().reads(READ_BYTES),
        Case::says("a bomb", [packed.as_bytes(), &bomb].concat(), ("http", "", 500)).several().reads(bomb.len()),
        Case::says(
            "a head of 1 MB",
            [b"HTTP/1.1 200 OK\r\nx: ", &vec![b'a'; MIB][..], b"\r\n\r\n"].concat(),
            too_large,
        )
        .several(),
        Case::goes_on("an endless header", "HTTP/1.1 200 OK\r\nx: ", Flood(vec![b'a'; MIB]), too_large).several(),
        Case::goes_on("an endless status line", "HTTP/1.1 200 ", Flood(vec![b'a'; MIB]), too_large).several(),
        Case::goes_on("endless empty lines", "", Flood(b"\r\n".repeat(10_000)), too_large).several(),
        Case::goes_on("endless headers", "HTTP/1.1 200 OK\r\n", Flood(b"x: y\r\n".repeat(1_000)), too_large).several(),
        Case::says("200 headers", format!("HTTP/1.1 200 OK\r\n{lines}\r\n"), too_large),
        Case::goes_on(
            "a flood of early hints",
            "",
            Flood(b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000)),
            ("timeout", "head", 0),
        ),
    ]
}

/// 32 MiB of nothing, packed as gzip into less than is read of an answer.
fn bomb() -> Vec<u8> {
    let empty = vec![0; 32 * MIB];
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("empty", SimpleFileOptions::default()).expect("a file");
    writer.write_all(&empty).expect("packed");
    let mut archive = ZipArchive::new(writer.finish().expect("an archive")).expect("an archive");
    let mut file = archive.by_index_raw(0).expect("a file");
    let (mut packed, sum) = (b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec(), file.crc32());
    file.read_to_end(&mut packed).expect("read");
    packed.extend(sum.to_le_bytes());
    packed.extend((empty.len() as u32).to_le_bytes());
    assert!(packed.len() < READ_BYTES, "{}", packed.len());
    packed
}
