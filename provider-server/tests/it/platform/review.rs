//! The plan of an import, seen before anything of it is applied.

use provider_server::oneroster::StudentRow;
use rollcall_proto::provider::v1::{self as pb, ImportState};
use tonic::Code;

use super::{
    imports::{ROSTER, Rig, bulk, counts, held_for},
    support::with_token,
};

/// All pages of a plan.
async fn plan(rig: &mut Rig, run: &str, kind: &str, school: &str, page_size: u32) -> Vec<pb::PlannedChange> {
    let (mut changes, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListPlannedChangesRequest {
            run: run.into(),
            kind: kind.into(),
            school_sourced_id: school.into(),
            page_size,
            page_token,
        };
        let request = rig.server.owned(request);
        let page = rig.imports.list_planned_changes(request).await.expect("a page").into_inner();
        changes.extend(page.changes);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return changes;
        }
    }
}

fn ids(changes: &[pb::PlannedChange]) -> Vec<&str> {
    changes.iter().map(|change| change.sourced_id.as_str()).collect()
}

#[tokio::test]
async fn a_run_waits_for_a_look_at_its_plan_and_then_does_what_was_shown() {
    let mut rig = Rig::new().await;
    rig.review = true;
    let first = rig.import(&bulk(ROSTER.students())).await;
    assert_eq!((first.state(), held_for(&first)), (ImportState::Held, vec![("review", "")]), "a first import, too");
    let planned = plan(&mut rig, &first.id, "", "", 0).await;
    assert_eq!(planned.len(), 400);
    assert!(planned.iter().all(|change| change.kind == "created" && change.line > 1));
    assert!(planned[0].fields.iter().any(|field| field.field == "familyName" && field.old_value.is_none()));
    let applied = rig.approve(&first.id, false).await;
    assert_eq!((applied.state(), applied.applied), (ImportState::Applied, 400));

    // One leaves, one is renamed, one is new.
    let mut rows: Vec<StudentRow> = ROSTER.students().collect();
    let gone = rows.remove(7).sourced_id;
    let renamed = rows[3].sourced_id.clone();
    let fields = rows[3].fields.as_mut().expect("stated");
    let (given, family) = (fields.given_name.clone(), fields.family_name.clone());
    fields.given_name = "Zoë".into();
    let mut new = rows[0].clone();
    new.sourced_id = "S-new".into();
    rows.push(new);
    let run = rig.import(&bulk(rows.into_iter())).await;
    assert_eq!((run.state(), held_for(&run)), (ImportState::Held, vec![("review", "")]));
    assert_eq!(counts(&run), [1, 1, 1, 398, 0]);
    assert_eq!(run.holds[0].figure, 3);

    let all = plan(&mut rig, &run.id, "", "", 1).await;
    assert_eq!(ids(&all), [&renamed, "S-new", &gone], "in the order of the file; who is absent comes last");
    let update = &all[0];
    assert_eq!((update.kind.as_str(), update.display_name.as_str()), ("updated", &*format!("Zoë {family}")));
    let changed =
        [pb::FieldChange { field: "givenName".into(), old_value: Some(given), new_value: Some("Zoë".into()) }];
    assert_eq!(update.fields, changed);
    assert!(!update.school_sourced_ids.is_empty());
    assert_eq!((all[2].kind.as_str(), all[2].line, all[2].fields.len()), ("deleted", 0, 0));
    assert!(!all[2].display_name.trim().is_empty());
    for (kind, expected) in [("created", "S-new"), ("updated", &*renamed), ("deleted", &*gone)] {
        assert_eq!(ids(&plan(&mut rig, &run.id, kind, "", 0).await), [expected]);
    }
    let school = &update.school_sourced_ids[0];
    let there = plan(&mut rig, &run.id, "", school, 0).await;
    assert!(ids(&there).contains(&renamed.as_str()));
    assert!(plan(&mut rig, &run.id, "", "no-school", 0).await.is_empty());

    let applied = rig.approve(&run.id, false).await;
    assert_eq!((applied.state(), applied.applied), (ImportState::Applied, 3));
    let request = rig.server.owned(pb::ListPlannedChangesRequest { run: run.id.clone(), ..Default::default() });
    let over = rig.imports.list_planned_changes(request).await.expect_err("applied");
    assert_eq!(over.code(), Code::FailedPrecondition);
    let acts = rig.server.acts("d-1").await;
    let shown = acts.iter().filter(|act| *act == "import.plan_shown").count();
    assert_eq!(shown, 7, "once for each look, whatever its pages");
    rig.server.stop().await;
}

#[tokio::test]
async fn a_plan_is_a_student_screen_for_its_own_district() {
    let mut rig = Rig::new().await;
    rig.review = true;
    let run = rig.import(&bulk(ROSTER.students())).await;
    let other = rig.server.district("d-2").await.id;
    let ask = |run: &str, kind: &str| pb::ListPlannedChangesRequest {
        run: run.into(),
        kind: kind.into(),
        ..Default::default()
    };
    for (name, role, district, expected) in [
        ("vera", pb::Role::Viewer, "d-1", None),
        ("otto", pb::Role::Auditor, "d-1", Some(Code::PermissionDenied)),
        ("olga", pb::Role::Operator, &*other, Some(Code::NotFound)),
    ] {
        let token = rig.server.account(name, role, district).await;
        let asked = rig.imports.list_planned_changes(with_token(ask(&run.id, ""), &token)).await;
        assert_eq!(asked.err().map(|status| status.code()), expected, "{name}");
    }
    let wrong = rig.imports.list_planned_changes(rig.server.owned(ask(&run.id, "moved"))).await;
    assert_eq!(wrong.expect_err("no kind").code(), Code::InvalidArgument);
    rig.server.stop().await;
}
