//! Students as JSON: one object, an array, or one object a line. Fields have their wire names (`givenName`), and both
//! the wire's values (`"status": "active"`) and those of `ctl student get --json` are understood. Errors name the
//! record and the field and repeat no value.

use std::io::{BufRead, Read};

use prost_reflect::{DynamicMessage, Kind, MessageDescriptor};
use rollcall_proto::{json::POOL, provider::v1::Student};
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

/// What is wrong with a record.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidRecord {
    /// The wire name, empty where the record as a whole is meant.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What could be read of the record's key.
    pub sourced_id: String,
}

/// Hands each record to `each` until that answers false, or the text ends. An error means that the rest cannot be read.
pub fn read<R: BufRead>(
    mut reader: R,
    mut each: impl FnMut(Result<Student, InvalidRecord>) -> bool,
) -> Result<(), String> {
    // `is_data` is asked because serde_json's own text may repeat a value.
    let describe = |error: serde_json::Error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Io => format!("cannot be read: {error}"),
            serde_json::error::Category::Eof => format!("the JSON ends too early ({place})"),
            _ => format!("not valid JSON at {place}"),
        }
    };
    if first_byte(&mut reader).map_err(|error| format!("cannot be read: {error}"))? == Some(b'[') {
        let mut deserializer = serde_json::Deserializer::from_reader(reader);
        let mut stopped = false;
        let visited = deserializer.deserialize_seq(Each { each: &mut each, stopped: &mut stopped });
        return if stopped { Ok(()) } else { visited.and_then(|()| deserializer.end()).map_err(describe) };
    }
    for value in serde_json::Deserializer::from_reader(reader).into_iter::<Value>() {
        if !each(student(value.map_err(describe)?)) {
            break;
        }
    }
    Ok(())
}

/// Skips white space and a byte order mark; the next byte stays unread.
fn first_byte<R: BufRead>(reader: &mut R) -> std::io::Result<Option<u8>> {
    if reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    loop {
        match reader.fill_buf()?.first().copied() {
            Some(byte) if byte.is_ascii_whitespace() => reader.consume(1),
            other => return Ok(other),
        }
    }
}

struct Each<'a, F> {
    each: &'a mut F,
    stopped: &'a mut bool,
}

impl<'de, F: FnMut(Result<Student, InvalidRecord>) -> bool> Visitor<'de> for Each<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("an array of students")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while let Some(value) = sequence.next_element::<Value>()? {
            if !(self.each)(student(value)) {
                *self.stopped = true;
                return Ok(());
            }
        }
        Ok(())
    }
}

/// One record.
pub fn student(value: Value) -> Result<Student, InvalidRecord> {
    let Value::Object(record) = value else {
        return Err(InvalidRecord {
            field: String::new(),
            message: "a student is a JSON object".into(),
            sourced_id: String::new(),
        });
    };
    let sourced_id = record.get("sourcedId").and_then(Value::as_str).unwrap_or_default().to_owned();
    convert(record).map_err(|(field, message)| InvalidRecord { field, message, sourced_id })
}

fn convert(mut record: Map<String, Value>) -> Result<Student, (String, String)> {
    if let Some(status) = record.get_mut("status") {
        *status = match status.as_str() {
            Some("active") => json!("STUDENT_STATUS_ACTIVE"),
            Some("tobedeleted") => json!("STUDENT_STATUS_TOBEDELETED"),
            Some(name) if name.starts_with("STUDENT_STATUS_") => status.take(),
            _ => return Err(("status".into(), "must be `active` or `tobedeleted`".into())),
        };
    }
    if let Some(Value::Array(enrollments)) = record.get_mut("schoolEnrollments") {
        for (index, enrollment) in enrollments.iter_mut().enumerate() {
            let place = format!("schoolEnrollments[{index}]");
            let Value::Object(enrollment) = enrollment else {
                return Err((place, "must be an object".into()));
            };
            match enrollment.remove("status").as_ref().map(Value::as_str) {
                None => {}
                Some(Some("active")) => drop(enrollment.insert("ended".into(), json!(false))),
                Some(Some("ended")) => drop(enrollment.insert("ended".into(), json!(true))),
                Some(_) => return Err((format!("{place}.status"), "must be `active` or `ended`".into())),
            }
            let descriptor = message("rollcall.provider.v1.SchoolEnrollment");
            build(&descriptor, std::mem::take(enrollment), &format!("{place}."))
                .map(|checked| *enrollment = checked.1)?;
        }
    }
    let (built, _) = build(&message("rollcall.provider.v1.Student"), record, "")?;
    built.transcode_to::<Student>().map_err(|_| (String::new(), "not a student".into()))
}

fn message(name: &str) -> MessageDescriptor {
    POOL.get_message_by_name(name).expect("the schema has this message")
}

/// Field by field, so that the one at fault can be named. Answers the record too, for its place in an outer one.
fn build(
    descriptor: &MessageDescriptor,
    record: Map<String, Value>,
    prefix: &str,
) -> Result<(DynamicMessage, Map<String, Value>), (String, String)> {
    let mut built = DynamicMessage::new(descriptor.clone());
    for (name, value) in &record {
        let field = descriptor.get_field_by_json_name(name).ok_or_else(|| {
            (format!("{prefix}{name}"), "is not a field; names are spelled as in `givenName`".to_owned())
        })?;
        let single = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
        let parsed = DynamicMessage::deserialize(descriptor.clone(), single).map_err(|_| {
            let list = if field.is_list() { "a list of " } else { "" };
            (format!("{prefix}{name}"), format!("must be {list}{}", form(&field.kind())))
        })?;
        if parsed.has_field(&field) {
            built.set_field(&field, parsed.get_field(&field).into_owned());
        }
    }
    Ok((built, record))
}

fn form(kind: &Kind) -> &'static str {
    match kind {
        Kind::String => "text",
        Kind::Bool => "true or false",
        Kind::Uint64 | Kind::Uint32 => "a whole number",
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
            "a time like 2026-11-23T16:05:12Z"
        }
        Kind::Message(_) => "objects",
        _ => "another form",
    }
}

/// A bounded reader: a single record is never larger than what is left of `limit`.
pub fn bounded(reader: impl Read, limit_bytes: u64) -> impl BufRead {
    std::io::BufReader::with_capacity(256 * 1024, reader.take(limit_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"sourcedId":"S-1","status":"active","version":7,"dateLastModified":"2026-11-23T16:05:12.001Z",
        "givenName":"José","familyName":"Nguyễn","grades":["08"],"enabledUser":false,
        "primaryOrgSourcedId":"sch-7","birthDate":"2014-01-31",
        "schoolEnrollments":[{"schoolSourcedId":"sch-7","roleType":"primary","beginDate":"2026-08-17"},
                             {"schoolSourcedId":"sch-6","roleType":"primary","status":"ended","exitReason":"moved"}]}"#;

    fn read_all(text: &str) -> (Vec<Result<Student, InvalidRecord>>, Result<(), String>) {
        let mut records = Vec::new();
        let end = read(text.as_bytes(), |record| {
            records.push(record);
            true
        });
        (records, end)
    }

    #[test]
    fn the_wire_form_is_understood_in_every_layout() {
        let lines = format!("{}\n{}\n", RECORD.replace('\n', ""), RECORD.replace('\n', ""));
        for (text, count) in [
            (RECORD.to_owned(), 1),
            (format!("\u{feff} [{RECORD},{RECORD}]\n"), 2),
            (lines, 2),
            ("[]".into(), 0),
            (String::new(), 0),
        ] {
            let (records, end) = read_all(&text);
            assert_eq!(end, Ok(()), "{text}");
            assert_eq!(records.len(), count, "{text}");
            for record in records {
                let student = record.expect("a good record");
                assert_eq!((student.sourced_id.as_str(), student.version), ("S-1", 7));
                assert_eq!(student.given_name, "José");
                assert_eq!(student.enabled_user, Some(false));
                assert_eq!(student.grades, ["08"]);
                assert!(!student.school_enrollments[0].ended);
                assert!(student.school_enrollments[1].ended);
                assert_eq!(student.school_enrollments[1].exit_reason.as_deref(), Some("moved"));
            }
        }
    }

    #[test]
    fn what_get_prints_can_be_put_again() {
        let student = student(serde_json::from_str(RECORD).expect("JSON")).expect("a good record");
        let printed = rollcall_proto::json::to_json(&student);
        assert_eq!(super::student(printed), Ok(student));
    }

    #[test]
    fn a_bad_field_is_named_and_its_value_is_not_repeated() {
        let cases = [
            (r#"{"sourcedId":"S-1","given_name":"Secretname"}"#, "given_name"),
            (r#"{"sourcedId":"S-1","grades":"Secretname"}"#, "grades"),
            (r#"{"sourcedId":"S-1","version":"Secretname"}"#, "version"),
            (r#"{"sourcedId":"S-1","enabledUser":"Secretname"}"#, "enabledUser"),
            (r#"{"sourcedId":"S-1","status":"Secretname"}"#, "status"),
            (r#"{"sourcedId":"S-1","dateLastModified":"Secretname"}"#, "dateLastModified"),
            (r#"{"sourcedId":"S-1","schoolEnrollments":[{"school":"Secretname"}]}"#, "schoolEnrollments[0].school"),
            (r#"{"sourcedId":"S-1","schoolEnrollments":[{"status":"Secretname"}]}"#, "schoolEnrollments[0].status"),
            (r#"{"sourcedId":"S-1","schoolEnrollments":["Secretname"]}"#, "schoolEnrollments[0]"),
        ];
        for (text, field) in cases {
            let (records, end) = read_all(text);
            assert_eq!(end, Ok(()));
            let error = records.into_iter().next().expect("one record").expect_err(text);
            assert_eq!((error.field.as_str(), error.sourced_id.as_str()), (field, "S-1"), "{text}");
            assert!(!error.message.contains("Secretname"), "{}", error.message);
        }
    }

    #[test]
    fn broken_json_names_the_place_only() {
        for text in [r#"{"givenName": Secretname}"#, r#"{"givenName":"Secretname"#, "[{}, Secretname]"] {
            let (_, end) = read_all(text);
            let message = end.expect_err(text);
            assert!(message.contains("line 1") && !message.contains("Secretname"), "{message}");
        }
    }
}
