//! PostgreSQL: any number of servers on one database. Writers have a connection of their own, which is replaced when it
//! is lost; readers share a pool.

use std::{ops::DerefMut, str::FromStr as _, sync::Arc, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, PgConnection, PgPool, Postgres, Row as _, TypeInfo as _,
    ValueRef as _,
    encode::IsNull,
    error::BoxDynError,
    postgres::{
        PgArgumentBuffer, PgArguments, PgConnectOptions, PgDatabaseError, PgListener, PgPoolOptions, PgRow, PgSeverity,
        PgSslMode, PgTypeInfo, types::Oid,
    },
};

use super::{Dialect, Row, StoreError, Value, arrays::Array, migrations};

const READERS: u32 = 8;
/// A connection is there in this time, or the database is not.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Waits inside the database end by themselves: nobody holds a row for longer than a large batch takes.
const LOCK_LIMIT: &str = "20s";
/// Between two looks at which tables grew.
pub const COUNTED_EVERY: Duration = Duration::from_secs(1);
/// A transaction whose client is gone ends after this, so that its rows are free.
const IDLE_LIMIT: &str = "30s";

/// A connection of the pool, or one of its own.
pub type Link = Box<dyn Held>;

/// Whatever leads to a connection.
pub trait Held: DerefMut<Target = PgConnection> + Send + Sync {}
impl<T: DerefMut<Target = PgConnection> + Send + Sync> Held for T {}

#[derive(Clone)]
pub struct Pools {
    options: Arc<PgConnectOptions>,
    readers: PgPool,
}

impl Pools {
    /// Checks that the server keeps what is committed, and migrates.
    pub async fn open(url: &SecretString) -> Result<Self, StoreError> {
        let options = options(url)?;
        let mut conn = connect(&options).await?;
        check_server(&mut conn).await?;
        migrations::run(&mut conn, Dialect::Postgres, fault).await?;
        // A failed goodbye changes nothing.
        let _ = conn.close().await;
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(CONNECT_LIMIT)
            .connect_lazy_with(options.clone().options([("default_transaction_read_only", "on")]));
        Ok(Self { options: Arc::new(options), readers })
    }

    pub async fn reader(&self) -> Result<Link, StoreError> {
        Ok(Box::new(self.readers.acquire().await.map_err(fault)?))
    }

    /// A further connection, to a server that is checked again: it may be another one since.
    pub async fn writer(&self) -> Result<Link, StoreError> {
        let mut conn = connect(&self.options).await?;
        check_server(&mut conn).await?;
        Ok(Box::new(Box::new(conn)))
    }

    pub async fn listen(&self, heard: impl Fn()) -> StoreError {
        let listening = async {
            let mut listener = PgListener::connect_with(&self.readers).await?;
            listener.listen("rollcall").await?;
            loop {
                // `None` says that the connection was lost meanwhile, and what was told with it.
                listener.try_recv().await?;
                heard();
            }
        };
        match listening.await {
            Ok(never) => never,
            Err(error) => fault(error),
        }
    }

    pub async fn close(&self) {
        self.readers.close().await;
    }
}

fn options(url: &SecretString) -> Result<PgConnectOptions, StoreError> {
    // The reason could repeat a part of the URL, which may hold a password.
    let options = PgConnectOptions::from_str(url.expose_secret())
        .map_err(|_| StoreError::Unfit("the URL is not understood: postgres://USER:PASSWORD@HOST:PORT/NAME".into()))?;
    let host = options.get_host();
    let is_near = host.starts_with('/')
        || options.get_socket().is_some()
        || host == "localhost"
        || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    let options = match options.get_ssl_mode() {
        // Students' data does not cross a network in the clear because nobody thought of it.
        PgSslMode::Prefer | PgSslMode::Allow if !is_near => options.ssl_mode(PgSslMode::Require),
        _ => options,
    };
    Ok(options
        .application_name("rollcall")
        .statement_cache_capacity(512)
        .options([("lock_timeout", LOCK_LIMIT), ("idle_in_transaction_session_timeout", IDLE_LIMIT)]))
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let connected = tokio::time::timeout(CONNECT_LIMIT, PgConnection::connect_with(options)).await;
    let why = match connected {
        Ok(Ok(conn)) => return Ok(conn),
        Ok(Err(error)) => error,
        Err(_) => sqlx::Error::PoolTimedOut,
    };
    // Whoever asked is told to try again; what must be set right is told here. The words hold no password.
    match &why {
        sqlx::Error::Database(told) => tracing::warn!(why = told.message(), "PostgreSQL does not let us in"),
        sqlx::Error::PoolTimedOut => tracing::warn!("PostgreSQL is silent"),
        other => tracing::warn!(why = %other, "PostgreSQL cannot be reached"),
    }
    Err(fault(why))
}

/// What is accepted here must survive a crash there.
async fn check_server(conn: &mut PgConnection) -> Result<(), StoreError> {
    let sql = "SELECT name, setting FROM pg_settings
               WHERE name IN ('fsync', 'synchronous_commit', 'transaction_read_only', 'server_encoding')";
    let rows = sqlx::query(sql).fetch_all(conn).await.map_err(fault)?;
    for row in rows {
        let (name, setting): (String, String) = (row.try_get(0).map_err(fault)?, row.try_get(1).map_err(fault)?);
        let trouble = match (name.as_str(), setting.as_str()) {
            ("fsync", "off") => "fsync is off: a crash would lose what was accepted; set fsync = on",
            ("synchronous_commit", "off") => {
                "synchronous_commit is off: a crash would lose what was accepted; set it to on, for the server, the \
                 database and the role"
            }
            ("transaction_read_only", "on") => "it is read-only, as a standby is: name the primary",
            ("server_encoding", encoding) if encoding != "UTF8" => {
                "its encoding is not UTF8: create the database with ENCODING 'UTF8'"
            }
            _ => continue,
        };
        return Err(StoreError::Unfit(trouble.into()));
    }
    Ok(())
}

pub async fn execute(link: &mut Link, sql: Arc<str>, values: Vec<Value>) -> Result<u64, StoreError> {
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?);
    Ok(query.execute(&mut ***link).await.map_err(fault)?.rows_affected())
}

pub async fn fetch(link: &mut Link, sql: Arc<str>, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?);
    query.fetch_all(&mut ***link).await.map_err(fault)?.iter().map(read_row).collect()
}

/// Begins and ends transactions: one round trip, nothing prepared.
pub async fn control(link: &mut Link, sql: &'static str) -> Result<(), StoreError> {
    sqlx::raw_sql(sql).execute(&mut ***link).await.map_err(fault).map(drop)
}

/// Has the tables counted that at least doubled since they last were. A plan that was made for an empty table is kept, and
/// looks through a district for each of its students; autovacuum would come up to a minute later.
pub async fn count_grown(link: &mut Link) -> Result<(), StoreError> {
    let sql = "SELECT s.relid::regclass::text FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
               WHERE s.schemaname = current_schema() AND s.n_mod_since_analyze > GREATEST(c.reltuples, 1000)";
    let rows = sqlx::query(sql).fetch_all(&mut ***link).await.map_err(fault)?;
    let grown: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(fault)?;
    if grown.is_empty() {
        return Ok(());
    }
    // The names are quoted by the server.
    let sql = AssertSqlSafe(format!("ANALYZE (SKIP_LOCKED) {}", grown.join(", ")));
    sqlx::raw_sql(sql).execute(&mut ***link).await.map_err(fault).map(drop)
}

pub async fn ping(link: &mut Link) -> Result<(), StoreError> {
    link.ping().await.map_err(fault)
}

/// NULL of whatever type its place has.
struct Null;

impl sqlx::Type<Postgres> for Null {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl sqlx::Encode<'_, Postgres> for Null {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

fn arguments(values: Vec<Value>) -> Result<PgArguments, StoreError> {
    use sqlx::Arguments as _;
    let mut arguments = PgArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Null => arguments.add(Null),
            Value::Int(int) => arguments.add(int),
            Value::Text(text) => arguments.add(text),
            Value::Static(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::Array(Array::Ints(ints)) => arguments.add(ints),
            Value::Array(Array::Texts(texts)) => arguments.add(texts),
            Value::Array(Array::Blobs(blobs)) => arguments.add(blobs),
        }
        .map_err(|_| StoreError::Corrupt("a value cannot be bound"))?;
    }
    Ok(arguments)
}

fn read_row(row: &PgRow) -> Result<Row, StoreError> {
    let mut values = Vec::with_capacity(row.columns().len());
    for column in row.columns() {
        let at = column.ordinal();
        let raw = row.try_get_raw(at).map_err(fault)?;
        let value = if raw.is_null() {
            Value::Null
        } else {
            match raw.type_info().name() {
                "INT8" => Value::Int(row.try_get_unchecked(at).map_err(fault)?),
                // Constants of a query.
                "INT4" => Value::Int(row.try_get_unchecked::<i32, _>(at).map_err(fault)?.into()),
                "TEXT" | "VARCHAR" | "NAME" => Value::Text(row.try_get_unchecked(at).map_err(fault)?),
                "BYTEA" => Value::Bytes(row.try_get_unchecked(at).map_err(fault)?),
                _ => return Err(StoreError::Corrupt("a column holds an unknown kind of value")),
            }
        };
        values.push(value);
    }
    Ok(Row(values))
}

fn fault(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => {
            tracing::debug!(%error, "PostgreSQL does not answer");
            StoreError::Unreachable
        }
        sqlx::Error::PoolClosed => StoreError::Stopping,
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            let ends = database
                .try_downcast_ref::<PgDatabaseError>()
                .is_some_and(|error| matches!(error.severity(), PgSeverity::Panic | PgSeverity::Fatal));
            match (&*code, code.get(..2).unwrap_or_default()) {
                (_, "28" | "3D") => StoreError::Unfit(database.message().to_owned()),
                // No right to connect, or a setting that it does not know.
                (_, "22" | "42") if ends => StoreError::Unfit(database.message().to_owned()),
                // The last word on this connection, such as of a log that cannot be written or synced. Said of a COMMIT
                // it leaves open whether that stands: its record may be found when the server recovers.
                _ if ends => StoreError::Unreachable,
                ("53100", _) => StoreError::DiskFull,
                // Serialization failure, deadlock, lock not available, and a key that another server made first: the
                // transaction is undone and may be tried again.
                ("40001" | "40P01" | "55P03" | "23505", _) => StoreError::Conflict,
                // The connection is lost, the server stops or has become a standby, or has no room for us.
                ("57P01" | "57P02" | "57P03" | "25006" | "25P03", _) | (_, "08" | "53") => StoreError::Unreachable,
                ("XX001" | "XX002", _) => StoreError::Corrupt("PostgreSQL says that its data is damaged"),
                // The text names tables and constraints, never values.
                _ => StoreError::Database(format!("{}, {code}", database.message())),
            }
        }
        other => StoreError::Database(other.to_string()),
    }
}
