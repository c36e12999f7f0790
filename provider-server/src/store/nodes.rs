//! Several servers on one PostgreSQL: the deliveries of a school are worked on by one server at a time, which holds the
//! school's lane under its lease. Leases go by the database's clock; a token that grows with each taking fences off whoever
//! was paused past its lease. On SQLite nothing of this is used: there the one server holds everything.

use rollcall_proto::id::SchoolId;

use super::{Conn, StoreError, Tx, Value};

/// A server; the same after it was started again.
pub type NodeId = [u8; 16];

/// Grows each time a lane is taken.
pub type Token = u64;

/// The database's clock, Unix ms.
macro_rules! now {
    () => {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    };
}

pub(super) use now;

/// A lane that this server holds, as it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldLane {
    /// The school.
    pub school: SchoolId,
    /// To be shown with every record.
    pub token: Token,
    /// Grows when its open messages are to be read again.
    pub wakes: u64,
    /// The school's newest message.
    pub head_sequence: u64,
    /// The version of its connection.
    pub connection_version: u64,
}

/// What there is to work on, and who works.
#[derive(Debug, Default)]
pub struct Look {
    /// What this server holds.
    pub lanes: Vec<HeldLane>,
    /// Lanes that nobody alive holds.
    pub free: u64,
    /// All lanes.
    pub all: u64,
    /// Servers alive.
    pub nodes: u64,
}

impl Look {
    /// What is one server's part of all lanes.
    pub fn share(&self) -> u64 {
        self.all.div_ceil(self.nodes.max(1))
    }
}

/// Looks at everything at once.
pub async fn look(conn: &mut Conn, node: NodeId) -> Result<Look, StoreError> {
    let sql = concat!(
        "SELECT (SELECT COUNT(*) FROM lanes),
            (SELECT COUNT(*) FROM lanes l WHERE NOT EXISTS
                (SELECT 1 FROM nodes n WHERE n.node_id = l.node_id AND n.leased_until_ms > ",
        now!(),
        ")), (SELECT COUNT(*) FROM nodes WHERE leased_until_ms > ",
        now!(),
        ")"
    );
    let row = conn.query_optional(sql, vec![]).await?;
    let mut row = row.ok_or(StoreError::Corrupt("a count answered nothing"))?;
    let mut look = Look { lanes: Vec::new(), all: row.take(0)?, free: row.take(1)?, nodes: row.take(2)? };
    let sql = "SELECT l.school_id, l.token, l.wakes, s.head_sequence, s.connection_version
               FROM lanes l JOIN schools s ON s.school_id = l.school_id WHERE l.node_id = $1";
    for mut row in conn.query(sql, vec![(&node).into()]).await? {
        look.lanes.push(HeldLane {
            school: row.take(0)?,
            token: row.take(1)?,
            wakes: row.take(2)?,
            head_sequence: row.take(3)?,
            connection_version: row.take(4)?,
        });
    }
    Ok(look)
}

/// Lengthens this server's lease; makes it where there is none, or where it is over. Lanes that somebody took meanwhile
/// stay theirs. Forgets servers that are long dead.
pub async fn renew(tx: &mut Tx<'_>, node: NodeId, lease_ms: u64) -> Result<(), StoreError> {
    let sql = concat!(
        "INSERT INTO nodes (node_id, leased_until_ms) VALUES ($1, ",
        now!(),
        " + $2) ON CONFLICT (node_id) DO UPDATE SET leased_until_ms = excluded.leased_until_ms"
    );
    tx.conn.execute(sql, vec![(&node).into(), lease_ms.into()]).await?;
    let sql = concat!("DELETE FROM nodes WHERE leased_until_ms < ", now!(), " - 86400000");
    tx.conn.execute(sql, vec![]).await.map(drop)
}

/// Takes lanes that nobody alive holds. Answers how many; those that another server is taking are passed over.
pub async fn claim(tx: &mut Tx<'_>, node: NodeId, limit: u64) -> Result<u64, StoreError> {
    let sql = concat!(
        "UPDATE lanes SET node_id = $1, token = token + 1 WHERE school_id IN (
            SELECT l.school_id FROM lanes l WHERE NOT EXISTS
                (SELECT 1 FROM nodes n WHERE n.node_id = l.node_id AND n.leased_until_ms > ",
        now!(),
        ") ORDER BY l.school_id LIMIT $2 FOR UPDATE OF l SKIP LOCKED)"
    );
    tx.conn.execute(sql, vec![(&node).into(), limit.into()]).await
}

/// Gives lanes back, so that others take them at once.
pub async fn release(tx: &mut Tx<'_>, node: NodeId, schools: Vec<SchoolId>) -> Result<(), StoreError> {
    let sql = "UPDATE lanes SET node_id = NULL WHERE node_id = $1 AND school_id IN {list} RETURNING school_id";
    let list = schools.into_iter().map(Value::from).collect();
    tx.conn.query_list(sql, vec![(&node).into()], list).await.map(drop)
}

/// Ends this server's lease: everything it holds is free.
pub async fn leave(tx: &mut Tx<'_>, node: NodeId) -> Result<(), StoreError> {
    tx.conn.execute("UPDATE lanes SET node_id = NULL WHERE node_id = $1", vec![(&node).into()]).await?;
    tx.conn.execute("DELETE FROM nodes WHERE node_id = $1", vec![(&node).into()]).await.map(drop)
}

/// Whether a server is alive.
pub async fn is_alive(conn: &mut Conn, node: &[u8]) -> Result<bool, StoreError> {
    let sql = concat!("SELECT 1 FROM nodes WHERE node_id = $1 AND leased_until_ms > ", now!());
    Ok(conn.query_optional(sql, vec![node.into()]).await?.is_some())
}

/// Servers alive beside this one.
pub async fn others(conn: &mut Conn, node: NodeId) -> Result<u64, StoreError> {
    let sql = concat!("SELECT COUNT(*) FROM nodes WHERE node_id <> $1 AND leased_until_ms > ", now!());
    let row = conn.query_optional(sql, vec![(&node).into()]).await?;
    row.map_or(Ok(0), |mut row| row.take(0))
}

/// A school has deliveries from now on.
pub async fn open_lane(tx: &mut Tx<'_>, school: SchoolId) -> Result<(), StoreError> {
    let sql = "INSERT INTO lanes (school_id) VALUES ($1) ON CONFLICT (school_id) DO NOTHING";
    tx.conn.execute(sql, vec![school.into()]).await.map(drop)
}

/// Tells whoever works on these schools that their open messages changed.
pub async fn wake(tx: &mut Tx<'_>, mut schools: Vec<SchoolId>) -> Result<(), StoreError> {
    schools.sort_unstable();
    schools.dedup();
    for school in schools {
        tx.conn.execute("UPDATE lanes SET wakes = wakes + 1 WHERE school_id = $1", vec![school.into()]).await?;
    }
    Ok(())
}

/// Of the lanes that something is to be recorded of, those whose token is not the current one: their records are refused.
/// The others stay ours until the end of this transaction.
pub async fn fence(tx: &mut Tx<'_>, held: &[(SchoolId, Token)]) -> Result<Vec<(SchoolId, Token)>, StoreError> {
    let mut refused = Vec::new();
    for (school, token) in held {
        let sql = "SELECT 1 FROM lanes WHERE school_id = $1 AND token = $2 FOR SHARE";
        if tx.conn.query_optional(sql, vec![(*school).into(), (*token).into()]).await?.is_none() {
            refused.push((*school, *token));
        }
    }
    Ok(refused)
}
