//! Rosters of other programs, where they are at hand.

use provider_server::model::import_run::RunState;

use super::support::{Importing, counts};
use crate::oneroster::real::roster;

#[tokio::test]
async fn the_small_district_and_its_delta() {
    let Some((bulk, delta)) = roster("district-small-bulk-1.2.zip").zip(roster("district-small-delta-1.2.zip")) else {
        return;
    };
    let importing = Importing::new().await;
    let run = importing.import(&bulk).await;
    assert_eq!((run.state, counts(&run), run.plan.schools.len()), (RunState::Applied, (248, 0, 0, 0), 3));
    let sql = "SELECT COUNT(*) FROM school_students p JOIN schools s ON s.school_id = p.school_id
               WHERE s.sourced_id LIKE '9dd66c89%' AND p.present = 1";
    assert_eq!(importing.count(sql).await, 72);
    let run = importing.import(&delta).await;
    assert_eq!((run.state, counts(&run)), (RunState::Applied, (3, 5, 2, 0)), "{:?}", run.plan.holds);
    assert_eq!(importing.count(sql).await, 73);
    let again = importing.import(&bulk).await;
    assert_eq!(again.state, RunState::Applied, "{:?}", again.plan.holds);
}

#[tokio::test]
async fn the_large_district() {
    let Some(zip) = roster("district-large-bulk-1.2.zip") else { return };
    let importing = Importing::new().await;
    let run = importing.import(&zip).await;
    assert_eq!((run.state, counts(&run)), (RunState::Applied, (4_225, 0, 0, 0)));
    assert_eq!((run.plan.schools_created, run.plan.errors), (20, 0));
    let again = importing.import(&zip).await;
    assert_eq!((again.state, counts(&again)), (RunState::Held, (0, 0, 0, 4_225)));
}

#[tokio::test]
async fn the_small_school() {
    let Some(zip) = roster("school-small-bulk-1.2.zip") else { return };
    let importing = Importing::new().await;
    let run = importing.import(&zip).await;
    assert_eq!((run.state, counts(&run)), (RunState::Applied, (72, 0, 0, 0)));
    assert_eq!(importing.count("SELECT COUNT(*) FROM schools").await, 1);
}
