//! Commands that work on a stopped server's files; each takes the lock.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde_json::{Value, json};

use crate::{
    app::{self, Opened},
    clock::{Clock as _, Entropy, SystemClock},
    config::Config,
    data_dir,
    exit::{CHECK_FAILED, DATA, Failure, UNREACHABLE, USAGE},
    key_file, key_rotation,
    mail::{self, Refused, Transport},
    store::{Database, DatabaseUrl, StoreError, audit, copy, keys},
};

/// Prints the settings in force as TOML or JSON.
pub fn print_config(config: &Config, as_json: bool) -> Result<(), Failure> {
    let shown = config.shown();
    let text = if as_json {
        serde_json::to_string(&shown).map_err(|error| error.to_string())
    } else {
        toml::to_string(&shown).map(|text| text.trim_end().to_owned()).map_err(|error| error.to_string())
    };
    println!("{}", text.map_err(Failure::internal)?);
    Ok(())
}

fn print(as_json: bool, object: Value, words: String) {
    if as_json { println!("{object}") } else { println!("{words}") }
}

async fn open(config: &Config) -> Result<Opened, Failure> {
    app::open(config, false, Arc::new(SystemClock), Entropy::from_system()).await
}

/// Makes a new key-encryption key: the running server does it, else this process with the lock.
pub async fn rotate_keys(config: &Config, as_json: bool) -> Result<(), Failure> {
    #[cfg(unix)]
    let by_server = crate::control::ask_to_rotate(&config.data_dir).await?;
    #[cfg(not(unix))]
    let by_server = None;
    let rotated = match by_server {
        Some(rotated) => rotated,
        None => {
            let Opened { store, lock: _lock, .. } = open(config).await?;
            key_rotation::rotate(&store, &config.key_source).await?
        }
    };
    let words = format!("{} keys wrapped with {}", rotated.rewrapped, rotated.key);
    print(as_json, json!(rotated), words);
    Ok(())
}

/// Recomputes every chain, and compares with the anchor's heads where one is kept.
pub async fn verify_audit(config: &Config, anchor: Option<&Path>, as_json: bool) -> Result<(), Failure> {
    let Opened { store, lock: _lock, .. } = open(config).await?;
    let mut conn = store.reader().await?;
    let verdict = audit::verify(&mut conn, store.shared()).await?;
    let mut first_break = verdict.first_break;
    if let Some(path) = anchor {
        let kept = read_anchor(path)?;
        for (chain, head) in &kept {
            let known = audit::has_head(&mut conn, chain, head.entries, &head.mac).await?;
            if !known && first_break.is_none() {
                first_break = Some(format!("chain {chain}: row {} of the anchor is not in it", head.entries));
            }
        }
        if first_break.is_none() {
            write_anchor(path, audit::heads(&mut conn).await?)?;
        }
    }
    let intact = first_break.is_none();
    let words = first_break.clone().unwrap_or_else(|| format!("intact: {} entries", verdict.entries));
    print(as_json, json!({"intact": intact, "entries": verdict.entries, "break": first_break}), words.clone());
    if intact { Ok(()) } else { Err(Failure::new(CHECK_FAILED, format!("the audit log is broken: {words}"))) }
}

type Anchor = BTreeMap<String, audit::Head>;

fn read_anchor(path: &Path) -> Result<Anchor, Failure> {
    let wrong = || Failure::new(DATA, format!("{} is not an anchor file of `audit verify`", path.display()));
    if !path.exists() {
        return Ok(Anchor::new());
    }
    let text = std::fs::read_to_string(path).map_err(|_| wrong())?;
    let mut heads = Anchor::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(chain), Some(entries), Some(mac)) = (words.next(), words.next(), words.next()) else {
            return Err(wrong());
        };
        let entries = entries.parse().map_err(|_| wrong())?;
        let mac = hex::decode(mac).map_err(|_| wrong())?;
        heads.insert(chain.to_owned(), audit::Head { entries, mac });
    }
    Ok(heads)
}

fn write_anchor(path: &Path, heads: Vec<(String, audit::Head)>) -> Result<(), Failure> {
    let lines = heads.into_iter().map(|(chain, head)| format!("{chain} {} {}\n", head.entries, hex::encode(head.mac)));
    key_file::write_private(path, lines.collect::<String>().as_bytes())
}

/// Moves an installation to an empty database. The keys stay where they are: both open with the same.
pub async fn copy(from: &str, to: &str, as_json: bool) -> Result<(), Failure> {
    let parse = |flag: &str, url: &str| {
        // The value may hold a password: it is not repeated.
        let words = || format!("{flag}: expected sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME");
        DatabaseUrl::parse(url).ok_or_else(|| Failure::new(USAGE, words()))
    };
    let (from, to) = (parse("--from", from)?, parse("--to", to)?);
    if let Some(file) = from.file().filter(|file| !file.exists()) {
        return Err(Failure::config(format!("--from: there is no database at {}", file.display())));
    }
    if let Some(folder) = to.file().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty()) {
        data_dir::create(folder).map_err(|failure| Failure::config(failure.message.replacen("data_dir", "--to", 1)))?;
    }
    let _from_lock = from.file().map(data_dir::lock).transpose()?;
    let _to_lock = to.file().map(data_dir::lock).transpose()?;
    let (source, target) = (Database::open(&from).await?, Database::open(&to).await?);
    let done = |table: &str, rows: u64| tracing::info!(table, rows, "copied");
    let copied = copy::copy(&source, &target, done).await;
    source.close().await;
    target.close().await;
    let copied = copied?;
    let rows: u64 = copied.tables.iter().map(|(_, rows)| rows).sum();
    let tables: BTreeMap<_, _> = copied.tables.into_iter().collect();
    let words = format!(
        "copied {rows} rows; the rosters of {} schools with {} students are the same; serve it with --database-url {} and \
         the same keys",
        copied.schools,
        copied.students,
        to.shown()
    );
    print(
        as_json,
        json!({"equal": true, "tables": tables, "schools": copied.schools, "students": copied.students}),
        words,
    );
    Ok(())
}

/// Sends a mail that says nothing but that mail works.
pub async fn test_mail(config: &Config, as_json: bool) -> Result<(), Failure> {
    let settings = config.mail.clone();
    let settings = settings.ok_or_else(|| Failure::config("mail_server: is not set, so no mail is sent"))?;
    let (host, port) = settings.server.clone();
    let recipients = settings.to.len();
    let transport = Transport::new(settings)?;
    let at = jiff::Timestamp::from_millisecond(SystemClock.now_ms()).unwrap_or_default().to_string();
    match mail::send_test(&transport, &at).await {
        Ok(refused) if refused.is_empty() => {
            let words = format!("{host}:{port} took a mail to {recipients} recipients: see whether it arrives");
            print(as_json, json!({"taken": true, "recipients": recipients}), words);
            Ok(())
        }
        Ok(refused) => {
            let (count, who) = (refused.len(), refused.join("; "));
            let words = format!("{host}:{port} took the mail, but refuses {count} of {recipients} recipients: {who}");
            Err(Failure::new(UNREACHABLE, words))
        }
        Err(Refused::Server(why) | Refused::Mail(why)) => {
            Err(Failure::new(UNREACHABLE, format!("{host}:{port} did not take the mail: {why}")))
        }
    }
}

/// SQLite's own check, the wrapped keys, the audit chains. What cannot be read is a complaint like any other.
pub async fn check_database(config: &Config, as_json: bool) -> Result<(), Failure> {
    let (mut complaints, mut data_keys) = (Vec::new(), None);
    match app::try_open(config, false, Arc::new(SystemClock), Entropy::from_system()).await? {
        // A file that does not begin as SQLite's do may be anything: that is no damage of a database.
        Err(StoreError::Corrupt(what)) if config.database.file().is_none_or(is_sqlite) => complaints.push(what.into()),
        opened => {
            let Opened { store, lock: _lock, .. } = opened?;
            let pages = readable(store.database().integrity_check().await, &mut complaints)?;
            complaints.extend(pages.unwrap_or_default());
            let mut conn = store.reader().await?;
            let open = keys::check_all(&mut conn, store.shared(), &mut complaints).await;
            data_keys = readable(open, &mut complaints)?;
            let verdict = readable(audit::verify(&mut conn, store.shared()).await, &mut complaints)?;
            complaints.extend(verdict.and_then(|verdict| verdict.first_break));
        }
    }
    let words = match (complaints.is_empty(), data_keys) {
        (true, Some(data_keys)) => format!("sound: {data_keys} data keys open"),
        _ => complaints.join("\n"),
    };
    let sound = complaints.is_empty();
    print(as_json, json!({"sound": sound, "data_keys": data_keys, "complaints": complaints}), words);
    if sound { Ok(()) } else { Err(Failure::new(CHECK_FAILED, "the database is damaged: restore a backup")) }
}

/// What was read, or why it cannot be as a complaint.
fn readable<T>(read: Result<T, StoreError>, complaints: &mut Vec<String>) -> Result<Option<T>, Failure> {
    match read {
        Ok(read) => return Ok(Some(read)),
        Err(StoreError::Corrupt(what)) => complaints.push(what.into()),
        Err(StoreError::Sealed(error)) => complaints.push(error.to_string()),
        Err(other) => return Err(other.into()),
    }
    Ok(None)
}

fn is_sqlite(file: &Path) -> bool {
    use std::io::Read as _;
    let mut first = [0; 16];
    std::fs::File::open(file).is_ok_and(|mut file| file.read_exact(&mut first).is_ok())
        && first == *b"SQLite format 3\0"
}
