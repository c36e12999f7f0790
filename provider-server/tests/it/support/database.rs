//! The database of a test: a file of its own or, where `ROLLCALL_TEST_POSTGRES` names a server, a database of its own
//! there, copied from a template that this process migrated once.

use std::{
    borrow::Cow,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use futures::TryStreamExt as _;
use provider_server::store::{Database, DatabaseUrl};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const SERVER: &str = "ROLLCALL_TEST_POSTGRES";
const PREFIX: &str = "rollcall_it";

static TEMPLATE: OnceLock<String> = OnceLock::new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Whether these tests run on PostgreSQL.
pub fn on_postgres() -> bool {
    std::env::var_os(SERVER).is_some()
}

/// A database and a folder, both gone after the test.
pub struct TestDatabase {
    pub url: DatabaseUrl,
    pub folder: tempfile::TempDir,
    /// Its name on the server.
    name: Option<String>,
    /// Its address where it is on a server of the test's own, and gone with that.
    elsewhere: Option<String>,
}

impl TestDatabase {
    /// An empty file, whatever the tests run on.
    pub fn embedded() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = DatabaseUrl::Sqlite(folder.path().join("rollcall.db"));
        Self { url, folder, name: None, elsewhere: None }
    }

    /// An empty one at this address of a server of the test's own.
    pub fn at(address: &str) -> Self {
        let url = DatabaseUrl::parse(address).expect("a database");
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { url, folder, name: None, elsewhere: Some(address.to_owned()) }
    }

    /// An empty one.
    pub fn new() -> Self {
        if !on_postgres() {
            return Self::embedded();
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let template = TEMPLATE.get_or_init(|| apart(make_template()));
        let name = format!("{PREFIX}_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        apart(administer(format!("CREATE DATABASE {name} TEMPLATE {template}")));
        Self { url: url_of(&name), folder, name: Some(name), elsewhere: None }
    }
}

/// Where a server of databases listens.
#[derive(Clone)]
pub enum Upstream {
    Socket(std::path::PathBuf),
    Tcp(String),
}

/// For tests of the server itself.
impl TestDatabase {
    /// Sets what new sessions of the database begin with.
    pub fn set(&self, setting: &str, value: &str) {
        let name = self.name.as_ref().expect("a database on a server");
        apart(administer(format!("ALTER DATABASE {name} SET {setting} = {value}")));
    }

    /// Its address as a program is told it.
    pub fn address(&self) -> String {
        match (&self.name, &self.elsewhere, &self.url) {
            (Some(name), ..) => url_text(name),
            (_, Some(address), _) => address.clone(),
            (None, None, DatabaseUrl::Sqlite(file)) => format!("sqlite:{}", file.display()),
            (None, None, DatabaseUrl::Postgres(_)) => unreachable!("a database on a server has a name"),
        }
    }

    /// Whether it is on a server.
    pub fn is_on_server(&self) -> bool {
        matches!(self.url, DatabaseUrl::Postgres(_))
    }

    /// The address of another database of the server, which is not made.
    pub fn renamed(&self, name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { url: url_of(name), folder, name: None, elsewhere: None }
    }

    /// Where its server listens.
    pub fn upstream(&self) -> Upstream {
        let url: url::Url = server_url().parse().expect("a URL");
        let port = url.port().unwrap_or(5432);
        match url.query_pairs().find(|(name, _)| name == "host") {
            Some((_, folder)) => Upstream::Socket(std::path::Path::new(&*folder).join(format!(".s.PGSQL.{port}"))),
            None => Upstream::Tcp(format!("{}:{port}", url.host_str().expect("a host"))),
        }
    }

    /// The same database, by way of this address.
    pub fn url_through(&self, address: std::net::SocketAddr) -> DatabaseUrl {
        let mut url: url::Url = url_text(self.name.as_ref().expect("a database on a server")).parse().expect("a URL");
        url.set_host(Some(&address.ip().to_string())).expect("a host");
        url.set_port(Some(address.port())).expect("a port");
        url.set_query(Some("sslmode=disable"));
        DatabaseUrl::parse(url.as_str()).expect("a database")
    }
}

impl TestDatabase {
    /// Everything that is kept, by name: the files, and the tables of a server.
    pub fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder");
        let paths = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
        let mut contents: Vec<(String, Vec<u8>)> =
            paths.map(|path| (path.display().to_string(), std::fs::read(&path).expect("a file"))).collect();
        if let Some(name) = &self.name {
            contents.extend(apart(tables(url_text(name))));
        }
        contents
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            apart(administer(format!("DROP DATABASE {name} WITH (FORCE)")));
        }
    }
}

/// `hex(column)` as this database says it.
pub fn translated(sql: &'static str, is_on_server: bool) -> Cow<'static, str> {
    let Some((before, rest)) = sql.split_once("hex(").filter(|_| is_on_server) else { return sql.into() };
    let (column, after) = rest.split_once(')').expect("a closing bracket");
    format!("{before}upper(encode({column}, 'hex')){after}").into()
}

async fn make_template() -> String {
    let mut server = PgConnection::connect(&server_url()).await.expect("the server of the tests answers");
    // What killed tests left behind.
    let like = format!("{PREFIX}\\_%");
    let left: Vec<String> = sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE datname LIKE $1")
        .bind(like)
        .fetch_all(&mut server)
        .await
        .expect("a list of databases");
    for name in left.iter().filter(|name| !is_alive(name)) {
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut server).await.expect("dropped");
    }
    let name = format!("{PREFIX}_{}_template", std::process::id());
    // A collation as operators have it: texts must sort by their bytes all the same.
    let locale = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'";
    let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {locale}");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut server).await.expect("a template");
    Database::open(&url_of(&name)).await.unwrap_or_else(|error| panic!("{error}"));
    name
}

/// Whether the process that a database's name tells of still runs.
fn is_alive(name: &str) -> bool {
    let process = name.trim_start_matches(PREFIX).split('_').nth(1).unwrap_or_default();
    std::path::Path::new("/proc").join(process).exists()
}

async fn tables(url: String) -> Vec<(String, Vec<u8>)> {
    let mut conn = PgConnection::connect(&url).await.expect("the database of the test answers");
    let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut conn).await.expect("a list of tables");
    let mut contents = Vec::with_capacity(names.len());
    for name in names {
        let copy = format!("COPY {name} TO STDOUT (FORMAT binary)");
        let parts = conn.copy_out_raw(&copy).await.expect("a copy");
        let bytes = parts.try_fold(Vec::new(), |mut all, part| async move {
            all.extend_from_slice(&part);
            Ok(all)
        });
        contents.push((name, bytes.await.expect("a whole copy")));
    }
    contents
}

async fn administer(sql: String) {
    let mut server = PgConnection::connect(&server_url()).await.expect("the server of the tests answers");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut server).await.expect("administered");
    server.close().await.expect("closed");
}

fn server_url() -> String {
    std::env::var(SERVER).expect("set")
}

fn url_text(name: &str) -> String {
    let mut url: url::Url = server_url().parse().expect("a URL");
    url.set_path(name);
    url.into()
}

fn url_of(name: &str) -> DatabaseUrl {
    DatabaseUrl::parse(&url_text(name)).expect("a database")
}

/// Runs to the end outside of the test's own runtime: a test's end has none any more.
fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let thread = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work)
    });
    thread.join().expect("administration of the test's database")
}
