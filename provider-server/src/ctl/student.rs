//! `ctl student`.

use std::{
    collections::VecDeque,
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use clap::{Args, Subcommand};
use rollcall_proto::{json::to_json, provider::v1 as pb};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::{
    client::Session,
    failure::{Failure, Outcome, exit, exit_code},
    output::{Fields, Output, short_name, time},
    student_input::{self, InvalidRecord},
};

/// Changes between the reader and the wire.
const BUFFERED: usize = 256;
/// More than any roster.
const MAX_INPUT_BYTES: u64 = 16 * 1024 * 1024 * 1024;

#[derive(Subcommand)]
pub enum StudentCommand {
    /// Creates or replaces students from JSON: one object, an array, or one object a line.
    Put {
        /// `-` reads stdin.
        file: PathBuf,
        #[arg(long, value_name = "D")]
        district: String,
        /// The same key answers the same for 7 days; with several records it is continued by their number.
        #[arg(long, value_name = "KEY", default_value = "", hide_default_value = true)]
        idempotency_key: String,
        /// Only says what would be sent; for one record.
        #[arg(long)]
        dry_run: bool,
    },
    /// One student.
    Get(Student),
    /// Earlier versions, newest first.
    Versions(Student),
    /// Students in an order.
    List {
        #[arg(long, value_name = "D")]
        district: String,
        /// Only students with an active enrollment at this school.
        #[arg(long, value_name = "S", default_value = "", hide_default_value = true)]
        school: String,
        /// Part of a name, the identifier or the sourcedId, at least 2 characters.
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        search: String,
        /// Also those marked for deletion.
        #[arg(long)]
        include_deleted: bool,
        /// sourced_id, family_name, given_name or date_last_modified.
        #[arg(long, value_name = "FIELD", default_value = "sourced_id")]
        order_by: String,
        /// The last ones first.
        #[arg(long)]
        descending: bool,
        /// Only in this grade; may be repeated.
        #[arg(long = "grade", value_name = "GRADE")]
        grades: Vec<String>,
        /// At most so many; 0 means all.
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        limit: usize,
    },
    /// Erases a student for good: only a tombstone of sourcedId and version stays.
    Erase {
        #[command(flatten)]
        student: Student,
        /// The sourcedId once more.
        #[arg(long, value_name = "ID")]
        confirm: String,
        /// Why; kept in the audit log.
        #[arg(long)]
        reason: String,
    },
    /// Adds or re-opens the enrollment at a school.
    Enroll {
        #[command(flatten)]
        student: Student,
        #[arg(long, value_name = "S")]
        school: String,
        /// primary or secondary.
        #[arg(long, default_value = "primary")]
        role_type: String,
        #[arg(long, value_name = "YYYY-MM-DD")]
        begin_date: Option<String>,
        #[command(flatten)]
        key: Key,
    },
    /// Ends the enrollment at a school.
    Withdraw {
        #[command(flatten)]
        student: Student,
        #[arg(long, value_name = "S")]
        school: String,
        /// The day after the last.
        #[arg(long, value_name = "YYYY-MM-DD")]
        end_date: Option<String>,
        #[arg(long, value_name = "TEXT")]
        exit_reason: Option<String>,
        #[command(flatten)]
        key: Key,
    },
    /// Moves a student to another school in one act.
    Transfer {
        #[command(flatten)]
        student: Student,
        #[arg(long, value_name = "S")]
        from: String,
        #[arg(long, value_name = "S")]
        to: String,
        /// The first day there.
        #[arg(long, value_name = "YYYY-MM-DD")]
        effective_date: Option<String>,
        #[arg(long, value_name = "TEXT")]
        exit_reason: Option<String>,
        #[command(flatten)]
        key: Key,
    },
    /// Marks a student for deletion; a later put brings the record back.
    Delete {
        #[command(flatten)]
        student: Student,
        #[command(flatten)]
        key: Key,
    },
}

#[derive(Args)]
pub struct Student {
    /// The student's sourcedId.
    #[arg(value_name = "ID")]
    sourced_id: String,
    #[arg(long, value_name = "D")]
    district: String,
}

#[derive(Args)]
pub struct Key {
    /// The same key answers the same for 7 days.
    #[arg(long, value_name = "KEY", default_value = "", hide_default_value = true)]
    idempotency_key: String,
    /// Only says what would be sent.
    #[arg(long)]
    dry_run: bool,
}

impl StudentCommand {
    pub async fn run(self, session: &Session, output: &Output) -> Outcome {
        let mut client = session.students();
        let result = match self {
            Self::Put { file, district, idempotency_key, dry_run } => {
                let key = Key { idempotency_key, dry_run };
                return put(&file, district, key, session, output).await;
            }
            Self::Get(Student { sourced_id, district }) => {
                let request = session.call(pb::GetStudentRequest { district, sourced_id });
                output.one(&client.get_student(request).await?.into_inner(), fields)?;
                return Ok(exit::OK);
            }
            Self::Versions(Student { sourced_id, district }) => {
                let request = session.call(pb::ListStudentVersionsRequest { district, sourced_id });
                let answer = client.list_student_versions(request).await?.into_inner();
                output.list(&["VERSION", "AT", "BY", "STATUS"], &answer.versions, |version| {
                    let student = version.student.clone().unwrap_or_default();
                    let status = short_name(student.status().as_str_name(), "STUDENT_STATUS_");
                    vec![student.version.to_string(), time(version.at.as_ref()), version.actor.clone(), status]
                })?;
                return Ok(exit::OK);
            }
            Self::Erase { student: Student { sourced_id, district }, confirm, reason } => {
                let request = pb::EraseStudentRequest { district, sourced_id, confirm_sourced_id: confirm, reason };
                output.one(&client.erase_student(session.call(request)).await?.into_inner(), erased)?;
                return Ok(exit::OK);
            }
            Self::List { district, school, search, include_deleted, order_by, descending, grades, limit } => {
                let request = pb::ListStudentsRequest {
                    district,
                    school,
                    search,
                    include_deleted,
                    order_by,
                    descending,
                    grades,
                    ..Default::default()
                };
                return list(request, limit, session, output).await;
            }
            Self::Enroll { student, school, role_type, begin_date, key } => {
                let request = pb::EnrollStudentRequest {
                    district: student.district,
                    sourced_id: student.sourced_id,
                    school,
                    role_type,
                    begin_date,
                    idempotency_key: key.idempotency_key,
                    dry_run: key.dry_run,
                };
                client.enroll_student(session.call(request)).await
            }
            Self::Withdraw { student, school, end_date, exit_reason, key } => {
                let request = pb::WithdrawStudentRequest {
                    district: student.district,
                    sourced_id: student.sourced_id,
                    school,
                    end_date,
                    exit_reason,
                    idempotency_key: key.idempotency_key,
                    dry_run: key.dry_run,
                };
                client.withdraw_student(session.call(request)).await
            }
            Self::Transfer { student, from, to, effective_date, exit_reason, key } => {
                let request = pb::TransferStudentRequest {
                    district: student.district,
                    sourced_id: student.sourced_id,
                    from_school: from,
                    to_school: to,
                    effective_date,
                    exit_reason,
                    idempotency_key: key.idempotency_key,
                    dry_run: key.dry_run,
                };
                client.transfer_student(session.call(request)).await
            }
            Self::Delete { student, key } => {
                let request = pb::DeleteStudentRequest {
                    district: student.district,
                    sourced_id: student.sourced_id,
                    idempotency_key: key.idempotency_key,
                    dry_run: key.dry_run,
                };
                client.delete_student(session.call(request)).await
            }
        };
        changed(&result?.into_inner(), output)
    }
}

async fn list(mut request: pb::ListStudentsRequest, limit: usize, session: &Session, output: &Output) -> Outcome {
    let limit = if limit == 0 { usize::MAX } else { limit };
    request.page_size = limit.min(1_000) as u32;
    let mut left = limit;
    loop {
        let mut page = session.students().list_students(session.call(request.clone())).await?.into_inner();
        page.students.truncate(left);
        left -= page.students.len();
        // A page at a time: a district's students need not fit in memory.
        output.list(&["SOURCED ID", "VERSION", "STATUS", "NAME", "GRADES", "SCHOOLS"], &page.students, |student| {
            let schools = student.school_enrollments.iter().filter(|e| !e.ended).map(|e| e.school_sourced_id.as_str());
            vec![
                student.sourced_id.clone(),
                student.version.to_string(),
                short_name(student.status().as_str_name(), "STUDENT_STATUS_"),
                shown_name(student),
                student.grades.join(" "),
                schools.collect::<Vec<_>>().join(" "),
            ]
        })?;
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() || left == 0 {
            return Ok(exit::OK);
        }
    }
}

/// One record goes as a unary call, more as a stream.
async fn put(file: &Path, district: String, key: Key, session: &Session, output: &Output) -> Outcome {
    let Key { idempotency_key: key, dry_run } = key;
    let mut records = open(file)?;
    let bad = |message: String| Failure::new(exit::BAD_DATA, format!("{}: {message}", file.display()));
    let first = match records.recv().await {
        None => return Err(bad("there is no student in it".into())),
        Some(Record::Broken(message)) => return Err(bad(message)),
        Some(Record::Read(record)) => record,
    };
    let Some(second) = records.recv().await else {
        let student = first.map_err(|error| bad(describe(&error)))?;
        let request = pb::PutStudentRequest { district, student: Some(student), idempotency_key: key, dry_run };
        let result = session.students().put_student(session.call(request)).await.map_err(Failure::from_data)?;
        return changed(&result.into_inner(), output);
    };

    if dry_run {
        return Err(Failure::usage("--dry-run is for one record: give a file with one student"));
    }
    let (changes, receiver) = mpsc::channel(BUFFERED);
    let under_way = Arc::new(Mutex::new(VecDeque::new()));
    let (refusals, mut refused) = mpsc::channel(BUFFERED);
    let feeder = tokio::spawn(feed(Feed {
        start: [Record::Read(first), second],
        records,
        district,
        key,
        changes,
        refusals,
        under_way: under_way.clone(),
    }));
    let mut acks = session
        .students()
        .apply(session.stream(ReceiverStream::new(receiver)))
        .await
        .map_err(Failure::from_data)?
        .into_inner();
    let mut tally = Tally::default();
    let mut acks_open = true;
    while acks_open {
        tokio::select! {
            Some((ack, sourced_id)) = refused.recv() => tally.add(&ack, &sourced_id, output)?,
            ack = acks.message() => match ack.map_err(|status| tally.interrupted(status))? {
                Some(ack) => {
                    let sourced_id = take(&under_way, ack.tag);
                    tally.add(&ack, &sourced_id, output)?;
                }
                None => acks_open = false,
            },
        }
    }
    while let Some((ack, sourced_id)) = refused.recv().await {
        tally.add(&ack, &sourced_id, output)?;
    }
    let broken = feeder.await.map_err(|_| Failure::new(exit::INTERNAL, "reading the file failed"))?;
    if !output.is_json() || tally.refused > 0 {
        eprintln!("{} accepted ({} events), {} refused", tally.accepted, tally.events, tally.refused);
    }
    match broken {
        Some(message) => Err(bad(message)),
        None => Ok(tally.code),
    }
}

#[expect(clippy::large_enum_variant, reason = "nearly all are the large one, and few are under way")]
enum Record {
    Read(Result<pb::Student, InvalidRecord>),
    /// The rest cannot be read.
    Broken(String),
}

/// Reads on a thread of its own; the channel's bound is what keeps memory small.
fn open(file: &Path) -> Result<mpsc::Receiver<Record>, Failure> {
    let reader: Box<dyn std::io::Read + Send> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(file).map_err(|e| Failure::usage(format!("cannot open {}: {e}", file.display())))?)
    };
    let (sender, receiver) = mpsc::channel(BUFFERED);
    tokio::task::spawn_blocking(move || {
        let reader = student_input::bounded(reader, MAX_INPUT_BYTES);
        let end = student_input::read(reader, |record| sender.blocking_send(Record::Read(record)).is_ok());
        if let Err(message) = end {
            // Nobody listens any more when this fails.
            let _ = sender.blocking_send(Record::Broken(message));
        }
    });
    Ok(receiver)
}

type UnderWay = Arc<Mutex<VecDeque<(u64, String)>>>;

struct Feed {
    start: [Record; 2],
    records: mpsc::Receiver<Record>,
    district: String,
    key: String,
    changes: mpsc::Sender<pb::Change>,
    refusals: mpsc::Sender<(pb::Ack, String)>,
    under_way: UnderWay,
}

/// Turns records into changes; answers why reading stopped early, if it did.
async fn feed(mut feed: Feed) -> Option<String> {
    let mut tag = 0;
    let mut start = feed.start.into_iter();
    let mut named_district = Some(feed.district);
    while let Some(record) = match start.next() {
        Some(record) => Some(record),
        None => feed.records.recv().await,
    } {
        tag += 1;
        let sent = match record {
            Record::Broken(message) => return Some(message),
            Record::Read(Err(invalid)) => {
                let ack = pb::Ack {
                    tag,
                    error: describe(&invalid),
                    code: Code::InvalidArgument as u32,
                    violations: vec![pb::FieldViolation { field: invalid.field, message: invalid.message }],
                    ..Default::default()
                };
                feed.refusals.send((ack, invalid.sourced_id)).await.is_ok()
            }
            Record::Read(Ok(student)) => {
                feed.under_way
                    .lock()
                    .expect("no holder of this lock panics")
                    .push_back((tag, student.sourced_id.clone()));
                let change = pb::Change {
                    district: named_district.take().unwrap_or_default(),
                    tag,
                    idempotency_key: if feed.key.is_empty() { String::new() } else { format!("{}:{tag}", feed.key) },
                    act: Some(pb::change::Act::Put(student)),
                };
                feed.changes.send(change).await.is_ok()
            }
        };
        if !sent {
            break;
        }
    }
    None
}

/// Acks come in the order of the changes, so what is before the tag was answered already.
fn take(under_way: &UnderWay, tag: u64) -> String {
    let mut queue = under_way.lock().expect("no holder of this lock panics");
    while let Some((front, sourced_id)) = queue.pop_front() {
        if front == tag {
            return sourced_id;
        }
    }
    String::new()
}

#[derive(Default)]
struct Tally {
    accepted: u64,
    refused: u64,
    events: u64,
    /// Of the first refusal.
    code: u8,
}

impl Tally {
    fn add(&mut self, ack: &pb::Ack, sourced_id: &str, output: &Output) -> Result<(), Failure> {
        if output.is_json() {
            let mut value = to_json(ack);
            value["sourcedId"] = sourced_id.into();
            output.value(&value)?;
        }
        if ack.code == 0 {
            self.accepted += 1;
            self.events += u64::from(ack.events);
            return Ok(());
        }
        self.refused += 1;
        if !output.is_json() {
            eprintln!("record {} ({sourced_id}): {}", ack.tag, ack.error);
        }
        if self.code == exit::OK {
            self.code = match exit_code(Code::from_i32(ack.code as i32)) {
                exit::USAGE => exit::BAD_DATA,
                other => other,
            };
        }
        Ok(())
    }

    fn interrupted(&self, status: tonic::Status) -> Failure {
        let failure = Failure::from_data(status);
        let message =
            format!("{}. {} records were accepted before; put the file again", failure.message, self.accepted);
        Failure { message, ..failure }
    }
}

fn describe(invalid: &InvalidRecord) -> String {
    match invalid.field.as_str() {
        "" => invalid.message.clone(),
        field => format!("{field}: {}", invalid.message),
    }
}

fn changed(result: &pb::ChangeResult, output: &Output) -> Outcome {
    output.one(result, |result| {
        let student = result.student.clone().unwrap_or_default();
        let fields = Fields::default()
            .with("sourcedId", &student.sourced_id)
            .with("version", student.version)
            .with("change", if result.change_id.is_empty() { "none" } else { &result.change_id })
            .with("events", result.events)
            .with("repeated", if result.repeated { "yes: the answer of the same idempotency key" } else { "" });
        let tell = |fields: Fields, event: &pb::PlannedEvent| {
            fields.with("would send", format!("{} to {}", event.event_type, event.school_name))
        };
        result.sends.iter().fold(fields, tell)
    })?;
    Ok(exit::OK)
}

fn erased(receipt: &pb::EraseStudentResponse) -> Fields {
    Fields::default()
        .with("erased", &receipt.student_id)
        .with("version", receipt.version)
        .with("schools told", receipt.events)
        .with("versions deleted", receipt.versions_deleted)
        .with("bodies deleted", receipt.bodies_deleted)
}

fn fields(student: &pb::Student) -> Fields {
    let mut fields = Fields::default()
        .with("sourcedId", &student.sourced_id)
        .with("status", short_name(student.status().as_str_name(), "STUDENT_STATUS_"))
        .with("version", student.version)
        .with("dateLastModified", time(student.date_last_modified.as_ref()))
        .with("name", shown_name(student))
        .with("legal name", format!("{} {}", student.given_name, student.family_name))
        .with("identifier", student.identifier())
        .with("grades", student.grades.join(" "))
        .with("username", student.username())
        .with("email", student.email())
        .with("enabledUser", student.enabled_user.unwrap_or(true))
        .with("primaryOrg", student.primary_org_sourced_id())
        .with("birthDate", student.birth_date());
    for enrollment in &student.school_enrollments {
        let state = if enrollment.ended { "ended" } else { "active" };
        let dates = match (enrollment.begin_date.as_deref(), enrollment.end_date.as_deref()) {
            (None, None) => String::new(),
            (begin, end) => format!(" {} to {}", begin.unwrap_or("…"), end.unwrap_or("…")),
        };
        fields = fields
            .with("enrollment", format!("{} {} {state}{dates}", enrollment.school_sourced_id, enrollment.role_type));
    }
    fields
}

/// The preferred name where there is one.
fn shown_name(student: &pb::Student) -> String {
    let given = student.preferred_given_name.as_deref().unwrap_or(&student.given_name);
    let family = student.preferred_family_name.as_deref().unwrap_or(&student.family_name);
    format!("{given} {family}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refusal_decides_the_exit_code() {
        let output = Output::new(false);
        let mut tally = Tally::default();
        tally.add(&pb::Ack { tag: 1, events: 2, ..Default::default() }, "S-1", &output).expect("printed");
        assert_eq!((tally.accepted, tally.events, tally.code), (1, 2, 0));
        let refused = |code: Code| pb::Ack { tag: 2, code: code as u32, error: "why".into(), ..Default::default() };
        tally.add(&refused(Code::InvalidArgument), "S-2", &output).expect("printed");
        tally.add(&refused(Code::NotFound), "S-3", &output).expect("printed");
        assert_eq!((tally.accepted, tally.refused, tally.code), (1, 2, 65));
    }

    #[test]
    fn acks_find_their_student() {
        let queue: UnderWay = Arc::default();
        queue.lock().expect("a lock").extend([(1, "A".to_owned()), (3, "C".to_owned()), (4, "D".to_owned())]);
        assert_eq!(take(&queue, 1), "A");
        assert_eq!(take(&queue, 4), "D");
        assert_eq!(take(&queue, 5), "");
    }
}
