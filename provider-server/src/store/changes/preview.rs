//! What a change would do, without doing it: the same rules as those of an accepted change, over a reader.

use std::collections::HashMap;

use rollcall_proto::{id::SchoolId, webhook::event::EventType};

use super::check_schools;
use crate::{
    error::Refusal,
    model::{
        change::{self, ChangeRequest},
        planned_change::schools_of,
        projection::school_change,
        student::{Student, check_sourced_id},
    },
    store::{Conn, StoreError, Value, students},
};

/// An event that a change would make.
pub struct PlannedEvent {
    /// Where it would go.
    pub school: SchoolId,
    /// The school's key.
    pub school_sourced_id: String,
    /// For people.
    pub school_name: String,
    /// What it would be.
    pub event_type: EventType,
}

/// What a change would do.
pub struct Preview {
    /// The record as it would be.
    pub student: Student,
    /// By school name; none where nothing would change.
    pub events: Vec<PlannedEvent>,
}

struct KnownSchool {
    id: SchoolId,
    name: String,
    ever_connected: bool,
}

/// Previews a change at this time.
pub async fn preview(conn: &mut Conn, request: ChangeRequest, now_ms: i64) -> Result<Preview, StoreError> {
    check_sourced_id("sourcedId", &request.sourced_id)?;
    let district = request.district;
    let row =
        conn.query_optional("SELECT birth_date FROM districts WHERE district_id = $1", vec![district.into()]).await?;
    let birth_date = row.ok_or_else(|| Refusal::not_found("the district"))?.take(0)?;
    let before = students::find(conn, district, &request.sourced_id).await?.map(|found| found.student);
    let mut named: Vec<&str> = request.act.schools();
    named.extend(before.iter().flat_map(Student::current_schools));
    named.sort_unstable();
    named.dedup();
    let list = named.into_iter().map(|school| Value::Text(school.to_owned())).collect();
    let sql = "SELECT sourced_id, school_id, name, ever_connected FROM schools
               WHERE district_id = $1 AND sourced_id IN {list}";
    let mut schools: HashMap<String, KnownSchool> = HashMap::new();
    for mut row in conn.query_list(sql, vec![district.into()], list).await? {
        let known = KnownSchool { id: row.take(1)?, name: row.take(2)?, ever_connected: row.take(3)? };
        schools.insert(row.take(0)?, known);
    }
    check_schools(&request, before.as_ref(), |school| schools.contains_key(school))?;
    let mut after = change::next(before.as_ref(), request, birth_date)?;
    if before.as_ref() == Some(&after) {
        return Ok(Preview { student: after, events: Vec::new() });
    }
    after.version += 1;
    after.modified_ms = now_ms.max(after.modified_ms);
    let mut events = Vec::new();
    for school in schools_of(before.as_ref(), &after) {
        let Some(known) = schools.get(school).filter(|known| known.ever_connected) else { continue };
        let Some(change) = school_change(before.as_ref(), &after, school) else { continue };
        events.push(PlannedEvent {
            school: known.id,
            school_sourced_id: school.to_owned(),
            school_name: known.name.clone(),
            event_type: change.event_type,
        });
    }
    events.sort_by(|a, b| (&a.school_name, a.school).cmp(&(&b.school_name, b.school)));
    Ok(Preview { student: after, events })
}
