//! Moves a grown installation to another database: every row of every table, then the proof that nothing is missing.
//! Sealed values open there as they are, because what they are bound to are typed ids and logical names.

use rollcall_proto::id::SchoolId;
use sha2::{Digest, Sha256};

use super::{Conn, Database, Row, StoreError, Value, db::Table, nodes, roster};

/// Set while a copy is under way: a database that holds half of another one must not be served.
pub const UNDER_WAY: &str = "copy.under_way";

/// Of servers that run, not of the installation.
const NOT_COPIED: [&str; 3] = ["chores", "nodes", "writers"];
const PAGE: usize = 1_000;

/// What was copied, and found equal on both sides.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Rows by table.
    pub tables: Vec<(String, u64)>,
    /// Schools whose roster exports are the same.
    pub schools: u64,
    /// Students in these exports.
    pub students: u64,
}

/// Copies everything into an empty database. `done` hears of each table.
pub async fn copy(from: &Database, to: &Database, done: impl Fn(&str, u64)) -> Result<Copied, StoreError> {
    let (mut source, mut target) = (from.reader().await?, to.writer().await?);
    let tables = tables_of_both(&mut source, &mut target).await?;
    check_unused(from, &mut source).await?;
    check_empty(&mut target, &tables).await?;
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2)";
    target.execute(sql, vec![UNDER_WAY.into(), Vec::new().into()]).await?;
    let mut copied = Copied::default();
    for table in tables {
        let rows = copy_table(&mut source, &mut target, &table).await?;
        done(&table.name, rows);
        let kept = count(&mut target, &table.name).await? - u64::from(table.name == "meta");
        let expected = count(&mut source, &table.name).await?;
        if (rows, kept) != (expected, expected) {
            return Err(differs(format!("{} has {expected} rows, {kept} arrived", table.name)));
        }
        copied.tables.push((table.name, rows));
    }
    // Whoever worked on the deliveries does so no more.
    target.execute("UPDATE lanes SET node_id = NULL", vec![]).await?;
    compare_rosters(&mut source, &mut target, &mut copied).await?;
    target.execute("DELETE FROM meta WHERE name = $1", vec![UNDER_WAY.into()]).await?;
    Ok(copied)
}

fn differs(what: String) -> StoreError {
    StoreError::Unfit(format!("the copy is not the same as the original: {what}"))
}

async fn tables_of_both(source: &mut Conn, target: &mut Conn) -> Result<Vec<Table>, StoreError> {
    let tables = source.tables().await?;
    if tables != target.tables().await? {
        return Err(StoreError::Corrupt("its tables are not those of this version"));
    }
    Ok(tables.into_iter().filter(|table| !NOT_COPIED.contains(&&*table.name)).collect())
}

/// An embedded database is locked by who copies; of a shared one no server may be alive.
async fn check_unused(from: &Database, source: &mut Conn) -> Result<(), StoreError> {
    if from.is_shared() && nodes::others(source, [0; 16]).await? > 0 {
        return Err(StoreError::Unfit("servers use the database that is copied: stop them first".into()));
    }
    Ok(())
}

async fn check_empty(target: &mut Conn, tables: &[Table]) -> Result<(), StoreError> {
    for table in tables {
        if count(target, &table.name).await? > 0 {
            let words = "the database that is copied to is not empty: give a new one";
            return Err(StoreError::Unfit(words.into()));
        }
    }
    Ok(())
}

async fn count(conn: &mut Conn, table: &str) -> Result<u64, StoreError> {
    let row = conn.query_optional(&format!("SELECT COUNT(*) FROM {table}"), vec![]).await?;
    row.map_or(Ok(0), |mut row| row.take(0))
}

/// Page by page along the primary key, each page in a transaction of its own.
async fn copy_table(source: &mut Conn, target: &mut Conn, table: &Table) -> Result<u64, StoreError> {
    let Table { name, columns, key } = table;
    let places: Vec<usize> = key.iter().filter_map(|part| columns.iter().position(|column| column == part)).collect();
    if places.is_empty() {
        return Err(StoreError::Corrupt("a table has no primary key"));
    }
    let (list, order) = (columns.join(", "), key.join(", "));
    let after: Vec<String> = (1..=key.len()).map(|number| format!("${number}")).collect();
    let first = format!("SELECT {list} FROM {name} ORDER BY {order} LIMIT {PAGE}");
    let next =
        format!("SELECT {list} FROM {name} WHERE ({order}) > ({}) ORDER BY {order} LIMIT {PAGE}", after.join(", "));
    // One for each table of the schema.
    let head: &'static str = Box::leak(format!("INSERT INTO {name} ({list})").into_boxed_str());
    let (mut copied, mut last): (u64, Option<Vec<Value>>) = (0, None);
    loop {
        let rows = match last.take() {
            None => source.query(&first, vec![]).await?,
            Some(key) => source.query(&next, key).await?,
        };
        let count = rows.len();
        let values: Vec<Value> = rows.into_iter().flat_map(Row::into_values).collect();
        if let Some(row) = values.chunks(columns.len()).next_back() {
            last = Some(places.iter().map(|place| row[*place].clone()).collect());
        }
        target.begin().await?;
        target.insert_many(head, "", columns.len(), values).await?;
        target.commit().await?;
        copied += count as u64;
        if count < PAGE {
            return Ok(copied);
        }
    }
}

/// What schools compare is what counts: their exports, line by line.
async fn compare_rosters(source: &mut Conn, target: &mut Conn, copied: &mut Copied) -> Result<(), StoreError> {
    for mut row in source.query("SELECT school_id FROM schools ORDER BY school_id", vec![]).await? {
        let school: SchoolId = row.take(0)?;
        let (students, digest) = export(source, school).await?;
        if (students, digest) != export(target, school).await? {
            return Err(differs(format!("the roster of {school}")));
        }
        copied.schools += 1;
        copied.students += students;
    }
    Ok(())
}

async fn export(conn: &mut Conn, school: SchoolId) -> Result<(u64, [u8; 32]), StoreError> {
    let (mut students, mut digest, mut after) = (0, Sha256::new(), String::new());
    loop {
        let lines = roster::page(conn, school, &after).await?;
        let Some(last) = lines.last() else { return Ok((students, digest.finalize().into())) };
        after.clone_from(&last.sourced_id);
        for line in &lines {
            digest.update(line.json.as_bytes());
            digest.update(b"\n");
        }
        students += lines.len() as u64;
    }
}
