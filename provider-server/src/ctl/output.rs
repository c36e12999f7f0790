//! What goes to stdout: aligned tables for people, JSON objects for programs.

use std::io::{self, Write};

use prost::{Message, Name};
use prost_types::Timestamp;
use rollcall_proto::json::to_json;

/// The chosen form.
pub struct Output {
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    pub fn is_json(&self) -> bool {
        self.json
    }

    /// One message: an object, or its fields as `human` tells them.
    pub fn one<M: Message + Name>(&self, message: &M, human: impl FnOnce(&M) -> Fields) -> io::Result<()> {
        if self.json {
            return self.value(&to_json(message));
        }
        io::stdout().write_all(human(message).render().as_bytes())
    }

    /// A list: an object a line, or a table.
    pub fn list<M: Message + Name>(
        &self,
        headers: &[&str],
        messages: &[M],
        row: impl Fn(&M) -> Vec<String>,
    ) -> io::Result<()> {
        if self.json {
            return messages.iter().try_for_each(|message| self.value(&to_json(message)));
        }
        io::stdout().write_all(table(headers, &messages.iter().map(row).collect::<Vec<_>>()).as_bytes())
    }

    /// One JSON object on a line of its own.
    pub fn value(&self, value: &serde_json::Value) -> io::Result<()> {
        let mut line = value.to_string();
        line.push('\n');
        self.raw(line.as_bytes())
    }

    /// One line of text.
    pub fn line(&self, text: &str) -> io::Result<()> {
        self.raw(format!("{text}\n").as_bytes())
    }

    /// Bytes as they are.
    pub fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }
}

/// Names and values, one a line, empty values left out.
#[derive(Default)]
pub struct Fields(Vec<(&'static str, String)>);

impl Fields {
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        let value = value.to_string();
        if !value.is_empty() {
            self.0.push((name, value));
        }
        self
    }

    /// As they are printed.
    pub fn render(&self) -> String {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        self.0.iter().map(|(name, value)| format!("{name:<width$}  {}\n", printable(value))).collect()
    }
}

/// Columns aligned to their widest cell, headers on top; nothing at all for an empty list but the headers.
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headers.iter().map(|header| header.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut push = |cells: &mut dyn Iterator<Item = String>| {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(cells) {
            line.push_str(&format!("{:<width$}  ", printable(&cell)));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    push(&mut headers.iter().map(|header| header.to_string()));
    for row in rows {
        push(&mut row.iter().cloned());
    }
    text
}

/// An instant in UTC to the millisecond; empty where absent.
pub fn time(timestamp: Option<&Timestamp>) -> String {
    timestamp.and_then(|t| jiff::Timestamp::new(t.seconds, t.nanos).ok()).map(|t| format!("{t:.3}")).unwrap_or_default()
}

/// The name of a prost enum value without its type's prefix: `CONNECTION_STATE_ACTIVE` → `active`.
pub fn short_name(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase()
}

/// Names come from outside: a control character must not reach the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_characters_not_bytes() {
        let rows = vec![vec!["José".into(), "1".into()], vec!["Al".into(), "22".into()]];
        assert_eq!(table(&["NAME", "N"], &rows), "NAME  N\nJosé  1\nAl    22\n");
        assert_eq!(table(&["NAME", "N"], &[]), "NAME  N\n");
    }

    #[test]
    fn empty_fields_are_left_out_and_control_characters_do_not_reach_the_terminal() {
        let fields = Fields::default().with("id", "sch_1").with("reason", "").with("name", "a\x1b[2Jb");
        assert_eq!(fields.render(), "id    sch_1\nname  a\u{fffd}[2Jb\n");
    }

    #[test]
    fn an_instant_is_told_in_utc() {
        assert_eq!(time(Some(&Timestamp { seconds: 1_763_913_912, nanos: 345_000_000 })), "2025-11-23T16:05:12.345Z");
        assert_eq!(time(None), "");
    }
}
