//! What a caller names, inside what the caller may see: an id, a sourcedId or a name. A foreign id answers like an
//! unknown one (P13).

use rollcall_proto::id::{DistrictId, SchoolId};

use super::{Conn, Row, Store, StoreError, Value};
use crate::{error::Refusal, model::access::Scope};

/// Candidates that an ambiguous name lists.
const MAX_CANDIDATES: usize = 10;

/// [`resolve_district`] for hot paths: what named a district once is remembered. Only ids and sourcedIds are, which a
/// district keeps for good.
pub async fn known_district(store: &Store, scope: &Scope, text: &str) -> Result<DistrictId, StoreError> {
    let known = store.shared.districts.lock().expect("no holder of this lock panics").get(text).copied();
    if let Some(id) = known.filter(|id| scope.includes_district(*id)) {
        return Ok(id);
    }
    let mut conn = store.reader().await?;
    let id = resolve_district(&mut conn, scope, text).await?;
    let sql = "SELECT sourced_id FROM districts WHERE district_id = $1";
    let row = conn.query_optional(sql, vec![id.into()]).await?;
    let sourced_id: Option<String> = row.map(|mut row| row.take(0)).transpose()?;
    if sourced_id.is_some_and(|sourced_id| sourced_id == text) || id.to_string() == text {
        store.shared.districts.lock().expect("no holder of this lock panics").insert(text.to_owned(), id);
    }
    Ok(id)
}

/// The district that `text` names: its id, else its sourcedId, else its name.
pub async fn resolve_district(conn: &mut Conn, scope: &Scope, text: &str) -> Result<DistrictId, StoreError> {
    if let Ok(id) = text.parse::<DistrictId>() {
        let known = conn.query_optional("SELECT 1 FROM districts WHERE district_id = $1", vec![id.into()]).await?;
        let visible = known.is_some() && scope.includes_district(id);
        return if visible { Ok(id) } else { Err(Refusal::not_found("the district").into()) };
    }
    let sql = "SELECT district_id, sourced_id FROM districts WHERE sourced_id = $1 OR name = $1 ORDER BY district_id";
    let mut found = Vec::new();
    for mut row in conn.query(sql, vec![text.to_owned().into()]).await? {
        let id: DistrictId = row.take(0)?;
        if scope.includes_district(id) {
            found.push((id, row.take::<String>(1)? == text));
        }
    }
    one_of("district", found)
}

/// The same for the log, which outlives its school: a deleted one is found by its id.
pub async fn resolve_school_in_log(
    conn: &mut Conn,
    scope: &Scope,
    text: &str,
) -> Result<(SchoolId, DistrictId), StoreError> {
    let Ok(id) = text.parse::<SchoolId>() else { return resolve_school(conn, scope, text, None).await };
    let row = conn.query_optional("SELECT district_id FROM schools WHERE school_id = $1", vec![id.into()]).await?;
    let district = row.map(|mut row| row.take::<DistrictId>(0)).transpose()?;
    let visible = district.filter(|district| scope.includes_school(*district, id));
    Ok((id, visible.ok_or_else(|| Refusal::not_found("the school"))?))
}

/// The school that `text` names, and its district: by id, else by sourcedId, else by name; within `district` where it
/// is given.
pub async fn resolve_school(
    conn: &mut Conn,
    scope: &Scope,
    text: &str,
    district: Option<DistrictId>,
) -> Result<(SchoolId, DistrictId), StoreError> {
    let visible = |school, of: DistrictId| scope.includes_school(of, school) && district.is_none_or(|only| only == of);
    if let Ok(id) = text.parse::<SchoolId>() {
        let row = conn
            .query_optional(
                "SELECT district_id FROM schools WHERE school_id = $1 AND state <> 'deleted'",
                vec![id.into()],
            )
            .await?;
        let of = row.map(|mut row| row.take::<DistrictId>(0)).transpose()?;
        let found = of.filter(|of| visible(id, *of)).map(|of| (id, of));
        return found.ok_or_else(|| Refusal::not_found("the school").into());
    }
    let mut found = Vec::new();
    for mut row in named_schools(conn, scope, text, district).await? {
        let (id, of): (SchoolId, DistrictId) = (row.take(0)?, row.take(1)?);
        if visible(id, of) {
            found.push(((id, of), row.take::<String>(2)? == text));
        }
    }
    one_of("school", found)
}

async fn named_schools(
    conn: &mut Conn,
    scope: &Scope,
    text: &str,
    district: Option<DistrictId>,
) -> Result<Vec<Row>, StoreError> {
    let name: Value = text.to_owned().into();
    let districts = match (district, scope) {
        (Some(only), _) => vec![only],
        (None, Scope::School(own, _)) => vec![*own],
        (None, Scope::Districts(districts)) => districts.clone(),
        (None, Scope::Installation) => {
            let sql = "SELECT school_id, district_id, sourced_id FROM schools WHERE sourced_id = $1 AND state <> 'deleted'
                       UNION SELECT school_id, district_id, sourced_id FROM schools WHERE name = $1 AND state <> 'deleted'
                       ORDER BY 1 LIMIT 1000";
            return conn.query(sql, vec![name]).await;
        }
    };
    let sql = "SELECT school_id, district_id, sourced_id FROM schools
               WHERE (sourced_id = $1 OR name = $1) AND state <> 'deleted' AND district_id IN {list} ORDER BY school_id";
    conn.query_list(sql, vec![name], districts.into_iter().map(Value::from).collect()).await
}

/// Things that a name can be ambiguous between.
trait Candidate: Copy {
    fn id(&self) -> String;
}

impl Candidate for DistrictId {
    fn id(&self) -> String {
        self.to_string()
    }
}

impl Candidate for (SchoolId, DistrictId) {
    fn id(&self) -> String {
        self.0.to_string()
    }
}

/// The only candidate. A sourcedId is a key and wins over equal names.
fn one_of<T: Candidate>(kind: &'static str, found: Vec<(T, bool)>) -> Result<T, StoreError> {
    let by_key: Vec<T> = found.iter().filter(|(_, by_key)| *by_key).map(|(id, _)| *id).collect();
    let candidates = if by_key.is_empty() { found.into_iter().map(|(id, _)| id).collect() } else { by_key };
    match candidates.as_slice() {
        [] => Err(Refusal::not_found(format_args!("the {kind}")).into()),
        [one] => Ok(*one),
        many => {
            let ids: Vec<String> = many.iter().take(MAX_CANDIDATES).map(Candidate::id).collect();
            let more = if many.len() > MAX_CANDIDATES { " and more" } else { "" };
            let message = format!("the name fits {} {kind}s, give the id: {}{more}", many.len(), ids.join(", "));
            Err(Refusal::field(kind, message).into())
        }
    }
}
