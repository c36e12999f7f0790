//! CSV rows by RFC 4180, with the line of each and the faults that a lenient parser would pass over: a stray quotation
//! mark can swallow the rows behind it, and a swallowed row must not count as absent.

use std::io::{self, BufRead, BufReader, Read};

/// A longer row is refused.
pub const MAX_ROW_BYTES: usize = 1 << 20;

const BUFFER_BYTES: usize = 1 << 17;

/// One row's values.
#[derive(Default)]
pub struct Row {
    text: String,
    ends: Vec<usize>,
    line: u64,
    lines: u64,
}

impl Row {
    /// The number of values.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The value at a position; empty beyond the row's end.
    pub fn get(&self, index: usize) -> &str {
        let Some(&end) = self.ends.get(index) else { return "" };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..end]
    }

    /// The line on which the row starts; the file's first is 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The row goes over several lines, so a quotation mark may have swallowed other rows.
    pub fn spans_lines(&self) -> bool {
        self.lines > 1
    }
}

/// What makes a row unreadable. Its first value is still there where it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFault {
    Utf8,
    Quote,
    /// Nothing behind it can be read.
    TooLong,
}

/// What stands next in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Row,
    Blank,
    Fault(RowFault),
    End,
}

/// Reads rows one by one.
pub struct RowReader<R> {
    input: BufReader<R>,
    raw: Vec<u8>,
    line: u64,
}

impl<R: Read> RowReader<R> {
    /// From the start of a file.
    pub fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(BUFFER_BYTES, input), raw: Vec::new(), line: 1 }
    }

    /// The line that is read next.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Reads the next row into `row`.
    ///
    /// # Errors
    /// Those of the input.
    pub fn read(&mut self, row: &mut Row) -> io::Result<Next> {
        row.ends.clear();
        (row.line, row.lines) = (self.line, 0);
        let mut text = std::mem::take(&mut row.text).into_bytes();
        text.clear();

        self.read_line(row)?;
        if row.line == 1 && self.raw.starts_with(b"\xEF\xBB\xBF") {
            self.raw.drain(..3);
        }
        if self.raw.is_empty() {
            return Ok(Next::End);
        }
        if matches!(self.raw.as_slice(), b"\n" | b"\r\n") {
            return Ok(Next::Blank);
        }
        let fault = if self.raw.len() > MAX_ROW_BYTES {
            Some(RowFault::TooLong)
        } else if self.raw.contains(&b'"') {
            self.split_quoted(row, &mut text)?
        } else {
            split_plain(&self.raw, &mut text, &mut row.ends);
            None
        };
        if fault == Some(RowFault::TooLong) {
            return Ok(keep_first(row, text, RowFault::TooLong));
        }
        Ok(match String::from_utf8(text) {
            // Without the comma between them, halves of a character may have come together.
            Ok(text) if row.ends.iter().all(|end| text.is_char_boundary(*end)) => {
                row.text = text;
                fault.map_or(Next::Row, Next::Fault)
            }
            Ok(text) => keep_first(row, text.into_bytes(), RowFault::Utf8),
            Err(error) => keep_first(row, error.into_bytes(), RowFault::Utf8),
        })
    }

    fn split_quoted(&mut self, row: &mut Row, text: &mut Vec<u8>) -> io::Result<Option<RowFault>> {
        let mut splitter = Splitter::new();
        splitter.feed(&self.raw, text, &mut row.ends);
        while splitter.is_open() {
            self.read_line(row)?;
            if self.raw.is_empty() {
                break;
            }
            if text.len() + self.raw.len() > MAX_ROW_BYTES {
                return Ok(Some(RowFault::TooLong));
            }
            splitter.feed(&self.raw, text, &mut row.ends);
        }
        Ok(splitter.finish(text, &mut row.ends).then_some(RowFault::Quote))
    }

    /// Reads up to the next line feed, or a little more than a row may have; nothing at the end of the file.
    fn read_line(&mut self, row: &mut Row) -> io::Result<()> {
        self.raw.clear();
        if (&mut self.input).take(MAX_ROW_BYTES as u64 + 3).read_until(b'\n', &mut self.raw)? > 0 {
            self.line += 1;
            row.lines += 1;
        }
        Ok(())
    }
}

/// Keeps the first value, so that the row's record can be named, and nothing else.
fn keep_first(row: &mut Row, mut text: Vec<u8>, fault: RowFault) -> Next {
    text.truncate(row.ends.first().copied().unwrap_or(0));
    row.ends.truncate(1);
    match String::from_utf8(text) {
        Ok(text) => row.text = text,
        Err(_) => row.ends.clear(),
    }
    Next::Fault(fault)
}

fn split_plain(raw: &[u8], text: &mut Vec<u8>, ends: &mut Vec<usize>) {
    let line = raw.strip_suffix(b"\n").unwrap_or(raw);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    text.reserve(line.len());
    for value in line.split(|byte| *byte == b',') {
        text.extend_from_slice(value);
        ends.push(text.len());
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    FieldStart,
    Bare,
    Quoted,
    /// A quotation mark inside quotes: the end, or the first of two.
    QuoteSeen,
    /// A carriage return behind the closing quotation mark.
    ReturnSeen,
    Done,
}

/// Splits a row with quotation marks, a line at a time.
struct Splitter {
    state: State,
    fault: bool,
}

impl Splitter {
    fn new() -> Self {
        Self { state: State::FieldStart, fault: false }
    }

    fn feed(&mut self, bytes: &[u8], text: &mut Vec<u8>, ends: &mut Vec<usize>) {
        for &byte in bytes {
            let (next, kept) = match (self.state, byte) {
                (State::Quoted, b'"') => (State::QuoteSeen, false),
                (State::Quoted, _) | (State::QuoteSeen, b'"') => (State::Quoted, true),
                (State::QuoteSeen, b'\r') => (State::ReturnSeen, false),
                (State::FieldStart, b'"') => (State::Quoted, false),
                (State::FieldStart | State::Bare | State::QuoteSeen, b',') => (State::FieldStart, false),
                (State::FieldStart | State::Bare | State::QuoteSeen | State::ReturnSeen, b'\n') => (State::Done, false),
                _ => (State::Bare, true),
            };
            // A quotation mark that neither opens nor closes, or something behind the closing one.
            self.fault |= matches!(self.state, State::QuoteSeen | State::ReturnSeen) && next == State::Bare;
            self.fault |= self.state == State::Bare && byte == b'"';
            if kept {
                text.push(byte);
            } else if matches!(next, State::FieldStart | State::Done) {
                // Inside quotes a carriage return is data, before a line end it is not.
                if next == State::Done && self.state == State::Bare && text.ends_with(b"\r") {
                    text.pop();
                }
                ends.push(text.len());
            }
            self.state = next;
        }
    }

    fn is_open(&self) -> bool {
        self.state == State::Quoted
    }

    /// Ends the last value; true if the row is faulty.
    fn finish(self, text: &[u8], ends: &mut Vec<usize>) -> bool {
        if self.state != State::Done {
            ends.push(text.len());
        }
        self.fault || self.is_open()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(bytes: &[u8]) -> Vec<(Next, u64, Vec<String>)> {
        let mut reader = RowReader::new(bytes);
        let mut row = Row::default();
        let mut all = Vec::new();
        loop {
            let next = reader.read(&mut row).unwrap();
            if next == Next::End {
                return all;
            }
            all.push((next, row.line(), (0..row.len()).map(|i| row.get(i).to_owned()).collect()));
            assert!(all.len() <= bytes.len() + 1, "every row takes at least a byte");
        }
    }

    #[test]
    fn values_lines_and_faults() {
        let quote = Next::Fault(RowFault::Quote);
        for (text, expected) in [
            (&b"\xEF\xBB\xBFa,b\r\n1,\r\n"[..], vec![(Next::Row, 1, vec!["a", "b"]), (Next::Row, 2, vec!["1", ""])]),
            (b"a\n\nb", vec![(Next::Row, 1, vec!["a"]), (Next::Blank, 2, vec![]), (Next::Row, 3, vec!["b"])]),
            (b"\"a\"\"b\",\"c\r\nd\"\r\ne\n", vec![(Next::Row, 1, vec!["a\"b", "c\r\nd"]), (Next::Row, 3, vec!["e"])]),
            (b"\"a\",\n", vec![(Next::Row, 1, vec!["a", ""])]),
            (b"a,b\"c\nd\n", vec![(quote, 1, vec!["a", "b\"c"]), (Next::Row, 2, vec!["d"])]),
            (b"\"a\"b,c\nd\n", vec![(quote, 1, vec!["ab", "c"]), (Next::Row, 2, vec!["d"])]),
            (b"a,\"b\nc,d\n", vec![(quote, 1, vec!["a", "b\nc,d\n"])]),
            (
                b"a,\xff,c\n\xff,a\n",
                vec![(Next::Fault(RowFault::Utf8), 1, vec!["a"]), (Next::Fault(RowFault::Utf8), 2, vec![])],
            ),
        ] {
            let found = rows(text);
            let found: Vec<_> =
                found.iter().map(|(n, l, v)| (*n, *l, v.iter().map(String::as_str).collect())).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn a_row_without_end_is_given_up() {
        for start in [&b"x,\"y"[..], b"x,y"] {
            let endless = start.iter().copied().chain(std::iter::repeat_n(b'z', 3 * MAX_ROW_BYTES)).collect::<Vec<_>>();
            let (next, line, values) = rows(&endless).remove(0);
            assert_eq!((next, line), (Next::Fault(RowFault::TooLong), 1));
            assert!(values.len() <= 1);
        }
        let lines = [b"x,\"".to_vec(), b"\n".repeat(2 * MAX_ROW_BYTES)].concat();
        assert_eq!(rows(&lines).remove(0).0, Next::Fault(RowFault::TooLong));
    }

    proptest! {
        #[test]
        fn what_the_csv_crate_writes_is_read_back(table in prop::collection::vec(prop::collection::vec("[ab,\"\r\n é]{0,6}", 2..5), 0..8)) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            table.iter().for_each(|row| writer.write_record(row).unwrap());
            let found: Vec<_> = rows(&writer.into_inner().unwrap()).into_iter().map(|(next, _, values)| (next, values)).collect();
            prop_assert_eq!(found, table.into_iter().map(|row| (Next::Row, row)).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(prop::sample::select(b"ab,\"\r\n\xC3\xA9\xEF\xBB\xBF".to_vec()), 0..200)) {
            rows(&bytes);
        }
    }
}
