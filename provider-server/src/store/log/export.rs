//! What is kept of an export of the log: who took which part of it along.

use rollcall_proto::id::{DistrictId, SchoolId};

use super::StoreError;
use crate::{
    model::log_filter::LogFilter,
    store::{
        Tx,
        audit::{self, AuditAct},
    },
};

/// A filter as the audit log tells it.
pub fn describe(filter: &LogFilter) -> String {
    if filter.is_empty() { "every attempt".into() } else { format!("filter {filter}") }
}

/// Keeps an export in the district's audit chain. `what` is the form and the filter.
pub async fn keep(
    tx: &mut Tx<'_>,
    (school, district): (SchoolId, DistrictId),
    actor: String,
    what: String,
) -> Result<(), StoreError> {
    let act = AuditAct::in_district(district, &actor, "log.export", school).with_detail(what);
    audit::append(tx, vec![act]).await
}
