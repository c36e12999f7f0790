//! The log as a file: read page by page while the file is taken, so that neither side ever holds more than a page.

use std::io::Write as _;

use futures::{Stream, stream};
use prost_types::Timestamp;
use rollcall_proto::{cell::neutral, id::SchoolId, json::to_json, provider::v1 as pb};
use tonic::Status;

use super::answers::to_attempt;
use crate::{
    error::Refusal,
    grpc::status::{fault, to_status},
    model::log_filter::LogFilter,
    store::{Store, log},
};

/// Rows of one part of a file.
const PART: usize = 500;
const HEADER: [&str; 20] = [
    "logSequence",
    "at",
    "messageId",
    "eventType",
    "sequence",
    "studentId",
    "studentSourcedId",
    "trigger",
    "tryNumber",
    "maxTries",
    "status",
    "cause",
    "code",
    "latencyUs",
    "firstByteUs",
    "requestBytes",
    "responseBytes",
    "nextAttemptAt",
    "clockSkewS",
    "explanation",
];

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON, a row a line.
    Ndjson,
    /// With a header.
    Csv,
}

impl Format {
    /// By its name; empty means NDJSON.
    pub fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "" | "ndjson" => Ok(Self::Ndjson),
            "csv" => Ok(Self::Csv),
            _ => Err(Refusal::field("format", "must be ndjson or csv")),
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }
}

/// An export under way. Nothing is read while the reader of the stream is slow.
pub struct Export {
    pub store: Store,
    pub school: SchoolId,
    pub filter: LogFilter,
    pub format: Format,
    pub max_tries: u32,
    /// When it began: what the filter's ages count from, Unix ms.
    pub now_ms: i64,
    /// Everything from this log sequence on is written.
    pub before: Option<u64>,
    /// Whether the header is out.
    pub begun: bool,
}

impl Export {
    /// The parts of the file. A file that could not be finished ends with an error, never early.
    pub fn into_stream(self) -> impl Stream<Item = Result<pb::ExportAttemptsResponse, Status>> {
        stream::unfold(Some(self), |export| async {
            let mut export = export?;
            match export.next().await {
                Err(status) => Some((Err(status), None)),
                Ok(None) => None,
                Ok(Some((data, at_end))) => {
                    Some((Ok(pb::ExportAttemptsResponse { data }), (!at_end).then_some(export)))
                }
            }
        })
    }

    /// The next part with rows, and whether it is the last one; none where a file ends without any.
    async fn next(&mut self) -> Result<Option<(Vec<u8>, bool)>, Status> {
        loop {
            let page = async {
                let mut conn = self.store.reader().await?;
                log::older(&mut conn, self.school, &self.filter, self.now_ms, self.before, PART).await
            };
            let page = page.await.map_err(to_status)?;
            self.before = page.next;
            let rows: Vec<pb::Attempt> =
                page.attempts.into_iter().map(|attempt| to_attempt(attempt, self.max_tries)).collect();
            let header = !std::mem::replace(&mut self.begun, true);
            let data = match self.format {
                Format::Ndjson => to_lines(&rows),
                Format::Csv => to_csv(&rows, header),
            };
            let data = data.map_err(|_| fault())?;
            let at_end = self.before.is_none();
            if !data.is_empty() {
                return Ok(Some((data, at_end)));
            }
            if at_end {
                return Ok(None);
            }
        }
    }
}

fn to_lines(rows: &[pb::Attempt]) -> std::io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for row in rows {
        writeln!(lines, "{}", to_json(row))?;
    }
    Ok(lines)
}

fn to_csv(rows: &[pb::Attempt], header: bool) -> std::io::Result<Vec<u8>> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if header {
        csv.write_record(HEADER)?;
    }
    for row in rows {
        let number = |number: u64| number.to_string();
        let text = |text: &str| neutral(text).into_owned();
        let record: [String; HEADER.len()] = [
            number(row.log_sequence),
            time(row.at.as_ref()),
            text(&row.message_id),
            text(&row.event_type),
            number(row.sequence),
            text(&row.student_id),
            text(&row.student_sourced_id),
            text(&row.trigger),
            number(row.try_number.into()),
            number(row.max_tries.into()),
            text(&row.status),
            text(&row.cause),
            number(row.code.into()),
            number(row.latency_us.into()),
            number(row.first_byte_us.into()),
            number(row.request_bytes.into()),
            number(row.response_bytes.into()),
            time(row.next_attempt_at.as_ref()),
            // A number, also below zero: no formula begins like it.
            row.clock_skew_s.to_string(),
            text(&row.explanation),
        ];
        csv.write_record(&record)?;
    }
    csv.into_inner().map_err(|error| error.into_error())
}

/// RFC 3339 with ms; empty where there is none.
fn time(at: Option<&Timestamp>) -> String {
    let instant = at.and_then(|at| jiff::Timestamp::new(at.seconds, at.nanos).ok());
    instant.map(|instant| format!("{instant:.3}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_csv_has_a_cell_for_each_column_and_no_formula() {
        let row = pb::Attempt {
            log_sequence: 7,
            student_sourced_id: "@SUM(A1)".into(),
            explanation: "=1, \"two\"".into(),
            at: Some(Timestamp { seconds: 1_763_913_600, nanos: 5_000_000 }),
            clock_skew_s: -90,
            ..Default::default()
        };
        let text = String::from_utf8(to_csv(&[row], true).expect("written")).expect("a text");
        assert_eq!(
            text,
            "logSequence,at,messageId,eventType,sequence,studentId,studentSourcedId,trigger,tryNumber,maxTries,status,\
             cause,code,latencyUs,firstByteUs,requestBytes,responseBytes,nextAttemptAt,clockSkewS,explanation\r\n\
             7,2025-11-23T16:00:00.005Z,,,0,,'@SUM(A1),,0,0,,,0,0,0,0,0,,-90,\"'=1, \"\"two\"\"\"\r\n"
        );
    }

    #[test]
    fn a_format_is_known_by_its_name() {
        for (name, expected) in
            [("", Some(Format::Ndjson)), ("ndjson", Some(Format::Ndjson)), ("csv", Some(Format::Csv))]
        {
            assert_eq!(Format::parse(name).ok(), expected);
        }
        for wrong in ["CSV", "xlsx", " csv"] {
            assert!(Format::parse(wrong).is_err(), "{wrong}");
        }
    }
}
