//! Runs and problems as the schema tells them.

use rollcall_proto::{cell::neutral, provider::v1 as pb};
use tonic::Status;

use crate::{
    grpc::{convert::timestamp, status},
    model::{
        holds::Hold,
        import_run::RunState,
        planned_change::{FieldChange, PlannedChange},
    },
    oneroster::report::REPORT_HEADER,
    store::imports::{Run, plan::SchoolPlan, problems::KeptProblem},
};

fn state(state: RunState) -> pb::ImportState {
    match state {
        RunState::Checking => pb::ImportState::Checking,
        RunState::Held => pb::ImportState::Held,
        RunState::Applying => pb::ImportState::Applying,
        RunState::Applied => pb::ImportState::Applied,
        RunState::Failed => pb::ImportState::Failed,
        RunState::Discarded => pb::ImportState::Discarded,
        RunState::Cancelled => pb::ImportState::Cancelled,
        RunState::Undoing => pb::ImportState::Undoing,
        RunState::Undone => pb::ImportState::Undone,
    }
}

/// A run with its counts and holds.
pub fn to_run(run: Run) -> pb::ImportRun {
    let plan = run.plan;
    let deleted = if run.without_deletions { 0 } else { plan.counts.deleted };
    let counts = pb::ImportCounts {
        created: plan.counts.created,
        updated: plan.counts.updated,
        deleted,
        unchanged: plan.counts.unchanged,
        rejected: plan.rejected,
        warnings: plan.warnings,
        errors: plan.errors,
        schools_created: plan.schools_created,
    };
    // What staff approved is told no more, unless it is asked again.
    let holds = if run.state == RunState::Held { plan.holds } else { Vec::new() };
    pb::ImportRun {
        id: run.id.to_string(),
        district_id: run.district.to_string(),
        state: state(run.state).into(),
        file_name: run.file_name,
        version: run.version,
        kind: run.kind,
        profile: run.profile,
        rows_total: if run.phase == "reading" { 0 } else { run.rows_read },
        phase: run.phase,
        rows_read: run.rows_read,
        counts: Some(counts),
        schools: plan.schools.into_iter().map(to_school).collect(),
        applied: run.applied,
        holds: holds.into_iter().map(to_hold).collect(),
        error: run.error,
        started_by: run.started_by,
        started_at: Some(timestamp(run.started_ms)),
        finished_at: run.finished_ms.map(timestamp),
        undo_skipped: run.undo_skipped,
    }
}

fn to_school(school: SchoolPlan) -> pb::ImportSchoolCounts {
    pb::ImportSchoolCounts {
        school_sourced_id: school.sourced_id,
        school_name: school.name,
        created: school.counts.created,
        updated: school.counts.updated,
        deleted: school.counts.deleted,
        unchanged: school.counts.unchanged,
    }
}

fn to_hold(hold: Hold) -> pb::ImportHold {
    pb::ImportHold {
        code: hold.code.as_str().into(),
        message: hold.message,
        figure: hold.figure,
        school_sourced_id: hold.school,
    }
}

/// A finding.
pub fn to_problem(problem: KeptProblem) -> pb::ImportProblem {
    pb::ImportProblem {
        severity: problem.severity,
        file: problem.file,
        line: problem.line,
        sourced_id: problem.sourced_id,
        field: problem.field,
        code: problem.code,
        message: problem.message,
        how_to_fix: problem.how_to_fix,
    }
}

/// A change as it is planned, with its line.
pub fn to_planned((change, line): (PlannedChange, u64)) -> pb::PlannedChange {
    let field =
        |field: FieldChange| pb::FieldChange { field: field.field.into(), old_value: field.old, new_value: field.new };
    pb::PlannedChange {
        sourced_id: change.sourced_id,
        display_name: change.display_name,
        kind: change.kind.as_str().into(),
        line,
        fields: change.fields.into_iter().map(field).collect(),
        school_sourced_ids: change.schools,
    }
}

/// Findings as CSV, with the header before the first ones.
pub fn to_csv(problems: &[KeptProblem], header: bool) -> Result<Vec<u8>, Status> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let written = (|| {
        if header {
            csv.write_record(REPORT_HEADER)?;
        }
        problems.iter().try_for_each(|problem| {
            let line = problem.line.to_string();
            let [severity, code] = [&problem.severity, &problem.code];
            let texts =
                [&problem.sourced_id, &problem.field, &problem.message, &problem.file].map(|text| neutral(text));
            let [sourced_id, field, message, file] = &texts;
            csv.write_record([severity, &**file, &line, &**sourced_id, &**field, code, &**message, &problem.how_to_fix])
        })
    })();
    written.map_err(|_| status::fault())?;
    csv.into_inner().map_err(|_| status::fault())
}
