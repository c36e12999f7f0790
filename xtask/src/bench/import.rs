//! Row 13: a OneRoster import: reading and checking alone, a district's bulk from the upload to its last change, and
//! the provider's memory while a very large one is applied.

use std::{fs::File, io::BufReader, path::Path, time::Instant};

use anyhow::{Result, bail};
use provider_server::oneroster::{
    Options, OrgRow, Problem, Profile, Rejected, Sink, Stop, StudentRow, generator::Roster, read,
};
use serde_json::json;

use super::{
    Bed,
    figures::{Line, Report, rounded},
    usage,
};
use crate::{
    demo::{self, generate},
    provider::Provider,
};

const SEED: u64 = 13;
const YEAR: i16 = 2026;
/// Of a district with 60,000 students.
const STUDENTS_PER_SCHOOL: u32 = 600;

pub async fn measure(bed: &Bed<'_>, report: &mut Report) -> Result<()> {
    let bulk = bed.folder.join("bulk.zip");
    let students = bed.amount(60_000);
    generate(&roster(students), &bulk)?;
    reading(bed, &bulk, report)?;
    let (took_s, _) = applied(bed, "import-bulk", &bulk, students).await?;
    let measured = format!("{students} students in {took_s:.1} s");
    let row = "13 import: read, check, apply";
    let line = Line { row, measured, target: "60,000 in ≤ 20 s", ..Line::default() };
    report.other("import_apply", json!({ "students": students, "took_s": rounded(took_s) }), line);

    let huge = bed.folder.join("huge.zip");
    let students = bed.amount(1_000_000);
    generate(&roster(students), &huge)?;
    let (took_s, peak_mib) = applied(bed, "import-huge", &huge, students).await?;
    let measured = format!("{peak_mib:.0} MiB at {students} students, in {took_s:.0} s");
    let value = json!({ "students": students, "peak_mib": rounded(peak_mib), "took_s": rounded(took_s) });
    let line = Line { row: "13 import: memory", measured, target: "≤ 200 MiB at a million", ..Line::default() };
    report.other("import_memory", value, line);
    Ok(())
}

fn roster(students: u64) -> Roster {
    let students = students as u32;
    Roster { seed: SEED, schools: (students / STUDENTS_PER_SCHOOL).max(1), students, year: YEAR }
}

fn reading(bed: &Bed<'_>, zip: &Path, report: &mut Report) -> Result<()> {
    bed.progress.step("import: reading and checking");
    let begun = Instant::now();
    let summary = read(BufReader::new(File::open(zip)?), &Options::new(Profile::Lenient), &mut Nowhere)?;
    let per_s = summary.rows as f64 / begun.elapsed().as_secs_f64();
    if summary.errors > 0 {
        bail!("the generated roster has {} errors", summary.errors);
    }
    let measured = format!("{per_s:.0} rows/s of {}", summary.rows);
    let line = Line { row: "13 import: read, check", measured, target: "≥ 150,000/s", ..Line::default() };
    report.other("import_read", json!({ "rows": summary.rows, "per_s": rounded(per_s) }), line);
    Ok(())
}

/// Seconds from the upload's first byte to the last change, and the most memory that the provider had.
async fn applied(bed: &Bed<'_>, name: &str, zip: &Path, students: u64) -> Result<(f64, f64)> {
    bed.progress.step(format!("import: {students} students, from the upload to the last change"));
    let folder = bed.folder.join(name);
    std::fs::create_dir(&folder)?;
    let provider = Provider::start(bed.binaries, &folder).await?;
    let admin = demo::claim(&provider, &folder).await?;
    let begun = Instant::now();
    let (run, peak_mib) = usage::peak_mib(provider.pid().await?, demo::import(&admin, zip, bed.progress, None)).await?;
    let took_s = begun.elapsed().as_secs_f64();
    let created = run.counts.unwrap_or_default().created;
    if created != students {
        bail!("{created} of {students} students were created");
    }
    provider.stop().await?;
    std::fs::remove_dir_all(folder)?;
    Ok((took_s, peak_mib))
}

/// Keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn org(&mut self, _: OrgRow) -> Result<(), Stop> {
        Ok(())
    }

    fn student(&mut self, _: StudentRow) -> Result<(), Stop> {
        Ok(())
    }

    fn rejected(&mut self, _: Rejected) -> Result<(), Stop> {
        Ok(())
    }

    fn problem(&mut self, _: Problem) -> Result<(), Stop> {
        Ok(())
    }
}
