//! The program on a folder of its own, the owner who calls it, and what is asked of its files afterwards.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use rollcall_proto::{
    pinned::{Pin, PinnedEndpoint},
    provider::v1::{
        self as pb, staff_service_client::StaffServiceClient, student_service_client::StudentServiceClient,
    },
};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::Connection as _;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};
use tonic::{Status, transport::Channel};

use crate::{
    engine::support::{Receiver, Rig, Settings},
    platform::support::{PASSWORD, with_token},
    support::{TestDatabase, on_postgres},
};

/// Nothing that these tests wait for takes longer; a server drains for at most 20 s.
pub const LIMIT: Duration = Duration::from_secs(40);

/// Whether this can be tried: it is about the embedded database, of one server and its files.
pub fn is_embedded(test: &str) -> bool {
    if on_postgres() {
        eprintln!("{test}: only on the embedded database");
    }
    !on_postgres()
}

/// A data folder with schools that have receivers, and the log of the programs that were started on it.
pub struct Site {
    pub data: PathBuf,
    beside: TempDir,
    /// The database, where it is not a file of the folder.
    shared: Option<Arc<TestDatabase>>,
}

impl Site {
    /// Schools `s0`, `s1`, … of district `d-1`, each with its receiver.
    pub async fn new(receivers: &[(&Receiver, Settings)]) -> Self {
        let beside = tempfile::tempdir().expect("a folder");
        let data = beside.path().join("data");
        Self::at(data, beside, TestDatabase::new(), receivers).await
    }

    /// The same on this database, which is empty.
    pub async fn on(database: TestDatabase, receivers: &[(&Receiver, Settings)]) -> Self {
        let beside = tempfile::tempdir().expect("a folder");
        let data = beside.path().join("data");
        Self::at(data, beside, database, receivers).await
    }

    /// The same with its data below this folder.
    pub async fn below(folder: &Path, receivers: &[(&Receiver, Settings)]) -> Self {
        let beside = tempfile::tempdir().expect("a folder");
        Self::at(folder.join("data"), beside, TestDatabase::new(), receivers).await
    }

    async fn at(data: PathBuf, beside: TempDir, database: TestDatabase, receivers: &[(&Receiver, Settings)]) -> Self {
        let rig = Rig::on(database, receivers.len()).await;
        for (school, (receiver, settings)) in receivers.iter().enumerate() {
            rig.connect(school, &receiver.url(), *settings).await;
        }
        fs::create_dir_all(&data).expect("a folder");
        rig.test.write_keys(&data.join("keys"));
        let (database, made) = (rig.test.database.clone(), rig.test.folder().join("rollcall.db"));
        rig.test.closed().await;
        if database.is_on_server() {
            return Self { data, beside, shared: Some(database) };
        }
        fs::copy(made, data.join("rollcall.db")).expect("copied");
        Self { data, beside, shared: None }
    }

    /// Another site, with the files of this one as they are now.
    pub fn copied(&self) -> Self {
        let beside = tempfile::tempdir().expect("a folder");
        let data = beside.path().join("data");
        fs::create_dir(&data).expect("a folder");
        for entry in fs::read_dir(&self.data).expect("files") {
            let path = entry.expect("a file").path();
            // The log's index is made anew from the log, and a socket is nobody's.
            if path.is_file() && path.extension().is_none_or(|ending| ending != "db-shm") {
                fs::copy(&path, data.join(path.file_name().expect("a name"))).expect("copied");
            }
        }
        Self { data, beside, shared: self.shared.clone() }
    }

    /// A file of its data folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// Where its programs log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.beside.path().join("log")).unwrap_or_default()
    }

    /// The program as a command; stdout is for its ready line.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let log = File::options().create(true).append(true).open(self.beside.path().join("log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_provider-server"));
        command.args(arguments).arg("--data-dir").arg(&self.data);
        command.env_remove("DATABASE_URL").env("HOME", "/nowhere").env("ROLLCALL_LOG", "info");
        if let Some(shared) = &self.shared {
            command.env("DATABASE_URL", shared.address()).env("ROLLCALL_KEY_FILE", self.file("keys"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        command
    }

    /// The command that serves.
    pub fn serve(&self) -> Command {
        self.command(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--ops-listen",
            "127.0.0.1:0",
            "--allow-network",
            "127.0.0.0/8",
            "--ready-json",
            "-",
        ])
    }

    /// Starts the server.
    pub async fn start(&self) -> Server {
        self.start_as(self.serve()).await
    }

    /// Starts it by this command, which may be another program before it.
    pub async fn start_as(&self, mut command: Command) -> Server {
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = within("the server serves", lines.next_line()).await.expect("a line");
        let Some(line) = line else { panic!("it ended at once:\n{}", self.log()) };
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = |key: &str| ready[key].as_str().unwrap_or_default().to_owned();
        let pid = ready["pid"].as_i64().and_then(|pid| Pid::from_raw(pid as i32));
        Server {
            child,
            pid: pid.expect("a process"),
            grpc: text("grpc"),
            pin: text("pin").parse().expect("a pin"),
            ops: text("ops"),
            owner_code: ready["owner_code_file"].as_str().map(PathBuf::from),
            _stdout: lines.into_inner(),
        }
    }

    /// Starts the server and signs in: the owner is claimed at the first start.
    pub async fn start_and_enter(&self) -> (Server, Owner) {
        let server = self.start().await;
        let owner = server.enter().await;
        (server, owner)
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        command.stderr(Stdio::piped());
        let Output { status, stdout, stderr } = within("it ends", command.output()).await.expect("it runs");
        let words = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        Ended { code: status.code(), words }
    }

    /// Starts a server that must not serve.
    pub async fn refused(&self) -> Ended {
        let mut command = self.serve();
        command.stderr(Stdio::piped());
        let Output { status, stdout, stderr } = within("it ends", command.output()).await.expect("it runs");
        assert!(stdout.is_empty(), "it served: {}", String::from_utf8_lossy(&stdout));
        Ended { code: status.code(), words: String::from_utf8_lossy(&stderr).into_owned() }
    }

    /// The stopped server's files are sound: pages, indexes, keys and audit chains.
    pub async fn assert_sound(&self) {
        for check in [["db", "check"], ["audit", "verify"]] {
            let Ended { code, words } = self.run(&check).await;
            assert_eq!(code, Some(0), "{check:?}: {words}");
        }
    }

    /// The same of a database on a server, which may be down.
    pub async fn ask(&self, sql: &str) -> Result<Vec<String>, sqlx::Error> {
        let mut conn = sqlx::PgConnection::connect(&self.shared.as_ref().expect("on a server").address()).await?;
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut conn).await
    }

    /// The first column of a query, as texts.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        if self.shared.is_some() {
            return self.ask(sql).await.expect("texts");
        }
        let conn = rusqlite::Connection::open(self.file("rollcall.db")).expect("a database");
        let mut statement = conn.prepare(sql).expect("a query");
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        rows.map(|row| row.expect("a text")).collect()
    }
}

/// How a program ended.
pub struct Ended {
    pub code: Option<i32>,
    pub words: String,
}

/// A serving program; killed when dropped.
pub struct Server {
    pub pid: Pid,
    /// `host:port` of liveness, readiness and metrics.
    pub ops: String,
    child: Child,
    grpc: String,
    pin: Pin,
    owner_code: Option<PathBuf>,
    _stdout: BufReader<tokio::process::ChildStdout>,
}

impl Server {
    /// A connection of its own.
    pub async fn dial(&self) -> Channel {
        let endpoint = PinnedEndpoint::new(&self.grpc, self.pin).expect("an address");
        endpoint.connect().await.expect("connected")
    }

    /// Claims the owner, or signs in as such.
    pub async fn enter(&self) -> Owner {
        let channel = self.dial().await;
        let mut staff = StaffServiceClient::new(channel.clone());
        let (username, password) = ("ada".to_owned(), PASSWORD.to_owned());
        let token = match self.owner_code.as_ref().filter(|file| file.exists()) {
            Some(file) => {
                let code = fs::read_to_string(file).expect("the owner code");
                let request = pb::ClaimOwnerRequest { code, username, password };
                staff.claim_owner(request).await.expect("claimed").into_inner().token
            }
            None => staff.login(pb::LoginRequest { username, password }).await.expect("signed in").into_inner().token,
        };
        Owner { channel, token }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("signalled");
    }

    /// Waits for its end; answers the exit code, none where a signal ended it.
    pub async fn ended(mut self) -> Option<i32> {
        within("the server ends", self.child.wait()).await.expect("an end").code()
    }

    /// SIGTERM, and the exit code.
    pub async fn terminate(self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// kill -9.
    pub async fn kill(self) {
        self.signal(Signal::KILL);
        self.ended().await;
    }

    /// What `/readyz` says, with its code.
    pub async fn ready(&self) -> (u16, String) {
        let answer = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = answer.get(format!("http://{}/readyz", self.ops)).send().await.expect("answered");
        (answer.status().as_u16(), answer.text().await.expect("words"))
    }
}

/// The owner at one server.
#[derive(Clone)]
pub struct Owner {
    pub channel: Channel,
    pub token: String,
}

impl Owner {
    /// The same session on another connection, perhaps of a later start.
    pub fn on(&self, channel: Channel) -> Self {
        Self { channel, token: self.token.clone() }
    }

    /// Puts a student of a school; the idempotency key is the student and the name.
    pub async fn put(&self, school: &str, student: &str, name: &str) -> Result<pb::ChangeResult, Status> {
        let enrollment = pb::SchoolEnrollment { school_sourced_id: school.into(), ..Default::default() };
        let request = pb::PutStudentRequest {
            district: "d-1".into(),
            student: Some(pb::Student {
                sourced_id: student.into(),
                given_name: name.into(),
                family_name: "Nguyễn".into(),
                grades: vec!["07".into()],
                school_enrollments: vec![enrollment],
                ..Default::default()
            }),
            idempotency_key: format!("{student} {name}"),
            ..Default::default()
        };
        let mut students = StudentServiceClient::new(self.channel.clone());
        students.put_student(with_token(request, &self.token)).await.map(tonic::Response::into_inner)
    }

    /// Asks for a student's earlier versions.
    pub async fn versions(&self, student: &str) -> Result<usize, Status> {
        let request = pb::ListStudentVersionsRequest { district: "d-1".into(), sourced_id: student.into() };
        let mut students = StudentServiceClient::new(self.channel.clone());
        let listed = students.list_student_versions(with_token(request, &self.token)).await?;
        Ok(listed.into_inner().versions.len())
    }

    /// Puts many students at once, all of which must be accepted.
    pub async fn put_all(&self, school: &str, students: std::ops::Range<usize>) {
        let puts = students.map(|number| async move { self.put(school, &format!("S-{number}"), "Ada").await });
        for put in futures::future::join_all(puts).await {
            put.expect("accepted");
        }
    }
}

/// Waits for something that must come.
pub async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("not in {LIMIT:?}: {what}"))
}

/// Waits until something is so; it is looked at again and again, because what is looked at is another process, its files or
/// its log, and tells nobody.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
