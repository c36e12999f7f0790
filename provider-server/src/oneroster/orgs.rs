//! `orgs.csv`: few rows, held whole, so that parents may stand behind their children.

use std::{collections::HashMap, sync::Arc};

use super::{
    check::RowCheck,
    code::Code,
    layout::{ORG_COLUMNS, ORGS},
    output::Output,
    read::ReadError,
    table::{Ignored, Table},
    types::{Kind, OrgRow, OrgType},
};

const NAME: usize = 3;
const TYPE: usize = 4;
const IDENTIFIER: usize = 5;
const PARENT: usize = 6;

/// The orgs that rows may name, each with a small number.
#[derive(Default)]
pub struct Orgs {
    by_id: HashMap<Arc<str>, u32>,
    all: Vec<(Arc<str>, OrgType)>,
    /// The zip holds all orgs of the district, so one that is not in it does not exist.
    whole: bool,
}

impl Orgs {
    /// None of the zip's own: only the district's.
    pub fn unstated() -> Self {
        Self::default()
    }

    /// The number of an org, of the zip or known to the district.
    pub fn find(&mut self, sourced_id: &str, out: &Output<'_>) -> Option<u32> {
        if let Some(&number) = self.by_id.get(sourced_id) {
            return Some(number);
        }
        if self.whole {
            return None;
        }
        let org_type = out.known_org(sourced_id)?;
        Some(self.add(sourced_id, org_type))
    }

    pub fn sourced_id(&self, number: u32) -> &str {
        &self.all[number as usize].0
    }

    pub fn is_school(&self, number: u32) -> bool {
        self.all[number as usize].1 == OrgType::School
    }

    fn add(&mut self, sourced_id: &str, org_type: OrgType) -> u32 {
        let id: Arc<str> = sourced_id.into();
        let number = self.all.len() as u32;
        self.by_id.insert(Arc::clone(&id), number);
        self.all.push((id, org_type));
        number
    }
}

/// Reads the file, and hands the orgs on in its order.
///
/// # Errors
/// Those of the table.
pub fn read(mut table: Table<'_>, kind: Kind, out: &mut Output<'_>) -> Result<Orgs, ReadError> {
    let mut orgs = Orgs { whole: kind == Kind::Bulk, ..Orgs::default() };
    let mut rows = Vec::new();
    let mut ignored = Ignored::all_but(&table.layout, ORG_COLUMNS);
    while table.next_good(out, reject_faulty)?.is_some() {
        ignored.check(&table, out);
        let mut check = RowCheck::new(&table, out);
        let id = check.sourced_id();
        if let Some(id) = id
            && orgs.by_id.contains_key(id)
        {
            check.error(0, Code::IdDuplicate);
        }
        let row = row(&mut check, kind, id);
        let line = check.line();
        match row {
            Some(row) => {
                orgs.add(&row.sourced_id, row.org_type);
                rows.push(row);
            }
            None => {
                out.summary.hidden_rows += u64::from(id.is_none());
                out.rejected(ORGS, id, line);
            }
        }
    }
    for row in rows {
        check_parent(&row, &mut orgs, out);
        out.org(row);
        out.check_stop()?;
    }
    Ok(orgs)
}

fn row(check: &mut RowCheck<'_, '_, '_>, kind: Kind, id: Option<&str>) -> Option<OrgRow> {
    let status = check.status(kind);
    let source_last_modified = check.last_modified(kind);
    let name = check.text(NAME, true);
    let org_type = check.one_of(TYPE, &["department", "school", "district", "local", "state", "national"], true);
    let identifier = check.text(IDENTIFIER, false);
    let parent = check.id(PARENT, false);
    let (true, Some(id), Some(name), Some(org_type)) = (check.good(), id, name, org_type) else { return None };
    Some(OrgRow {
        line: check.line(),
        sourced_id: id.to_owned(),
        name,
        org_type: match org_type {
            "school" => OrgType::School,
            "district" => OrgType::District,
            _ => OrgType::Other,
        },
        status,
        identifier,
        parent_sourced_id: parent.map(str::to_owned),
        source_last_modified,
    })
}

fn reject_faulty(row: &super::row::Row, out: &mut Output<'_>) {
    let id = super::value::is_sourced_id(row.get(0)).then(|| row.get(0));
    out.summary.hidden_rows += u64::from(id.is_none() || row.spans_lines());
    out.rejected(ORGS, id, row.line());
}

/// The parent is not needed for anything here, so a wrong one costs nothing but a word.
fn check_parent(row: &OrgRow, orgs: &mut Orgs, out: &mut Output<'_>) {
    let Some(parent) = &row.parent_sourced_id else { return };
    let itself = *parent == row.sourced_id;
    if itself || (orgs.find(parent, out).is_none() && orgs.whole) {
        let mut problem = super::Problem::new(super::Severity::Warning, ORGS, Code::RefParent).line(row.line);
        problem.sourced_id.clone_from(&row.sourced_id);
        out.problem(problem.field(ORG_COLUMNS[PARENT]));
    }
}
