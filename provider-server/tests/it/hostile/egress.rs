//! Which addresses the program dials, told by the system: it runs under `strace`, which records every address that a
//! socket of it is pointed at. Only 127.0.0.2 is allowed; on all other addresses of this machine something would answer.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::{Command, Stdio},
};

use rollcall_proto::provider::v1::{TestAddressRequest, school_service_client::SchoolServiceClient};
use tokio::{net::TcpListener, sync::watch};

use super::{
    names::{Answer, NameServer},
    receivers::{
        Door, Receiver,
        Step::{self, Read, Say},
    },
};
use crate::{
    engine::support::{Rig, Settings},
    platform::support::with_token,
    support::program::{self, Program},
};

/// The one that is allowed, and others of this machine.
const ALLOWED: &str = "127.0.0.2";
const OTHERS: [&str; 3] = ["127.0.0.1", "127.0.0.3", "::1"];
const LOG: &str = "SELECT s.sourced_id || '|' || a.cause FROM attempts a JOIN schools s ON s.school_id = a.school_id";

const ATTEMPTS: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM attempts";
/// No request can be made of it: nothing is attempted.
const UNSENT: &str = "unsent";

/// An address as staff may type it and as it may stand in a row, `{p}` for the port; the step at which its test ends,
/// where it does; and the cause with which a delivery fails, where it does.
#[rustfmt::skip]
const ADDRESSES: &[(&str, &str, &str)] = &[
    ("http://127.0.0.2:{p}/hook", "", ""),
    ("http://allowed.test:{p}/hook", "", ""),
    ("HTTP://ALLOWED.test:{p}/hook", "", ""),
    // As they are.
    ("http://127.0.0.1:{p}/", "policy", "blocked"),
    ("https://127.0.0.1:{p}/", "policy", "blocked"),
    ("https://127.0.0.3:{p}/", "policy", "blocked"),
    ("https://10.0.0.1:{p}/", "policy", "blocked"),
    ("https://172.16.0.1:{p}/", "policy", "blocked"),
    ("https://192.168.0.1:{p}/", "policy", "blocked"),
    ("https://169.254.169.254:{p}/latest/meta-data/", "policy", "blocked"),
    ("https://100.64.0.1:{p}/", "policy", "blocked"),
    ("https://0.0.0.0:{p}/", "policy", "blocked"),
    ("https://255.255.255.255:{p}/", "policy", "blocked"),
    ("https://[::1]:{p}/", "policy", "blocked"),
    ("https://[::]:{p}/", "policy", "blocked"),
    ("https://[fe80::1]:{p}/", "policy", "blocked"),
    ("https://[fd00::1]:{p}/", "policy", "blocked"),
    // IPv4 inside of IPv6: of a denied address and of the allowed one.
    ("https://[::ffff:127.0.0.1]:{p}/", "policy", "blocked"),
    ("https://[::ffff:7f00:1]:{p}/", "policy", "blocked"),
    ("https://[::ffff:127.0.0.2]:{p}/", "policy", "blocked"),
    ("https://[::127.0.0.1]:{p}/", "policy", "blocked"),
    ("https://[64:ff9b::7f00:1]:{p}/", "policy", "blocked"),
    ("https://[2002:7f00:1::]:{p}/", "policy", "blocked"),
    // Other ways to write numbers.
    ("https://2130706433:{p}/", "policy", "blocked"),
    ("http://2130706433:{p}/", "policy", "blocked"),
    ("https://0x7f000001:{p}/", "policy", "blocked"),
    ("https://0x7f.1:{p}/", "policy", "blocked"),
    ("https://0X7F.0.0.0x1:{p}/", "policy", "blocked"),
    ("https://0177.0.0.1:{p}/", "policy", "blocked"),
    ("https://017700000001:{p}/", "policy", "blocked"),
    ("https://127.1:{p}/", "policy", "blocked"),
    ("https://127.0.1:{p}/", "policy", "blocked"),
    ("https://127.0.0.1.:{p}/", "policy", "blocked"),
    ("https://0:{p}/", "policy", "blocked"),
    ("https://%31%32%37.0.0.1:{p}/", "policy", "blocked"),
    ("https://１２７.0.0.1:{p}/", "policy", "blocked"),
    ("https://127。0。0。1:{p}/", "policy", "blocked"),
    ("https://[::1%25lo]:{p}/", "policy", UNSENT),
    ("https://[fe80::1%25lo]:{p}/", "policy", UNSENT),
    // What stands beside the host.
    ("https://user@127.0.0.1:{p}/", "policy", "blocked"),
    ("http://127.0.0.2:{p}@127.0.0.1:{p}/", "policy", "blocked"),
    ("http://127.0.0.2@127.0.0.1:{p}/", "policy", "blocked"),
    ("http://127.0.0.1:{p}#@127.0.0.2:{p}/", "policy", "blocked"),
    ("http://127.0.0.1:{p}\\@127.0.0.2:{p}/", "policy", "blocked"),
    ("http:127.0.0.1:{p}/", "policy", "blocked"),
    ("http:///127.0.0.1:{p}/", "policy", "blocked"),
    ("//127.0.0.1:{p}/", "policy", UNSENT),
    ("http://127.0.0.1:{p}/ ", "policy", "blocked"),
    ("ftp://127.0.0.1:{p}/", "policy", "blocked"),
    ("file:///etc/passwd", "policy", UNSENT),
    // Names.
    ("https://localhost:{p}/", "dns", "blocked"),
    ("http://localhost:{p}/", "dns", "blocked"),
    ("https://other.test:{p}/", "dns", "blocked"),
    ("https://loopback6.test:{p}/", "dns", "blocked"),
    ("https://mapped.test:{p}/", "dns", "blocked"),
    ("https://good-and-bad.test:{p}/", "dns", "blocked"),
    ("https://bad-and-good.test:{p}/", "dns", "blocked"),
    ("https://good-and-bad6.test:{p}/", "dns", "blocked"),
    ("https://metadata.test:{p}/", "dns", "blocked"),
    ("http://private.test:{p}/", "dns", "blocked"),
    ("https://127.0.0.1.test:{p}/", "dns", "blocked"),
    ("https://missing.test:{p}/", "dns", "dns"),
    ("http://allowed.test.:{p}/", "policy", "dns"),
];

/// Its second answer is another one: between what the test of an address vets and what it asks for an answer.
const REBOUND: &str = "http://rebound.test:{p}/";
/// The same between two deliveries.
const REBINDING: &str = "http://rebinding.test:{p}/";

#[tokio::test]
async fn nothing_is_dialled_but_what_the_policy_allows() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        eprintln!("what is dialled is not recorded: there is no strace");
        return;
    }
    let (allowed, others) = listen().await;
    let port = allowed.local_addr().expect("bound").port();
    let open = || watch::channel(true).1;
    // The next request is to resolve and to dial again.
    let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_vec();
    let allowed = Receiver::on(allowed, Door::Plain, vec![Read, Say(answer)], open());
    let others: Vec<Receiver> =
        others.into_iter().map(|listener| Receiver::on(listener, Door::Plain, vec![Step::Hang], open())).collect();
    let away = format!("HTTP/1.1 307 Away\r\nlocation: http://127.0.0.3:{port}/\r\ncontent-length: 0\r\n\r\n");
    let away_at = TcpListener::bind((ALLOWED, 0)).await.expect("a free port");
    let away = Receiver::on(away_at, Door::Plain, vec![Read, Say(away.into_bytes())], open());
    let names = name_server();

    let url_of = |text: &str| text.replace("{p}", &port.to_string());
    let mut addresses: Vec<(String, &str, &str)> =
        ADDRESSES.iter().map(|(text, test, sent)| (url_of(text), *test, *sent)).collect();
    addresses.push((format!("http://{}/", away.address), "", "redirect"));
    addresses.push((url_of(REBOUND), "answer", ""));
    addresses.push((url_of(REBINDING), "dns", ""));
    let rig = Rig::new(addresses.len()).await;
    for (number, (url, ..)) in addresses.iter().enumerate() {
        // Straight into the row: nothing is left of the check that staff meet.
        let settings = Settings { delays: "600000", timeout_ms: 15_000, max_in_flight: 1, ..Settings::default() };
        rig.connect(number, url, settings).await;
        let messages = if *url == url_of(REBINDING) { 2 } else { 1 };
        rig.put_many(number, number * 10..number * 10 + messages).await;
    }
    rig.leave_out_syncs().await;
    let folder = tempfile::tempdir().expect("a folder");
    let record = folder.path().join("dialled");
    let program = start(&rig, folder.path(), &record, &names).await;

    let mut wrong = Vec::new();
    let sent = addresses.iter().filter(|(.., sent)| *sent != UNSENT).count() + 1;
    rig.until(ATTEMPTS, &[&sent.to_string()]).await;
    let log: BTreeSet<String> = rig.test.texts(LOG).await.into_iter().collect();
    for (number, (url, _, sent)) in addresses.iter().enumerate() {
        let found = log.iter().find_map(|row| row.strip_prefix(&format!("s{number}|"))).unwrap_or(UNSENT);
        if found != *sent {
            wrong.push(format!("a delivery to {url} ended with {found:?}, not {sent:?}"));
        }
    }
    let rebinding = format!("s{}|blocked", addresses.len() - 1);
    assert!(log.contains(&rebinding), "the second answer was not refused: {log:?}");
    let channel = program.dial().await;
    let token = program.claim_owner(channel.clone()).await;
    let mut schools = SchoolServiceClient::new(channel);
    for (url, expected, _) in &addresses {
        let request = with_token(TestAddressRequest { url: url.clone() }, &token);
        let tested = schools.test_address(request).await.expect("tested").into_inner();
        let ended = tested.checks.iter().find(|check| !check.ok).map_or("", |check| &check.step);
        if (ended, tested.ok) != (*expected, expected.is_empty()) {
            wrong.push(format!("the test of {url} ended at {ended:?}, not {expected:?}"));
        }
    }
    drop(schools);
    program.stop().await;

    let met: Vec<SocketAddr> =
        others.iter().filter(|other| other.connections() > 0).map(|other| other.address).collect();
    assert!(met.is_empty(), "connections came to {met:?}");
    let dialled = dialled(&record);
    let expected = BTreeSet::from([allowed.address, away.address, names.address]);
    assert_eq!(dialled, expected, "what the system was asked for");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The allowed address, and the others on the same port.
async fn listen() -> (TcpListener, Vec<TcpListener>) {
    'free: for _ in 0..100 {
        let allowed = TcpListener::bind((ALLOWED, 0)).await.expect("a free port");
        let port = allowed.local_addr().expect("bound").port();
        let mut others = Vec::new();
        for other in OTHERS {
            match TcpListener::bind((other, port)).await {
                Ok(listener) => others.push(listener),
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => continue 'free,
                // A machine without IPv6.
                Err(_) => {}
            }
        }
        return (allowed, others);
    }
    panic!("no port is free on all addresses");
}

fn name_server() -> NameServer {
    let turns = |all: &[&str]| Answer::Turns(all.iter().map(|text| text.parse().expect("an address")).collect());
    NameServer::start([
        ("allowed.test", Answer::of(&["127.0.0.2"])),
        ("other.test", Answer::of(&["127.0.0.3"])),
        ("loopback6.test", Answer::of(&["::1"])),
        ("mapped.test", Answer::of(&["::ffff:127.0.0.2"])),
        ("good-and-bad.test", Answer::of(&["127.0.0.2", "127.0.0.3"])),
        ("bad-and-good.test", Answer::of(&["127.0.0.3", "127.0.0.2"])),
        ("good-and-bad6.test", Answer::of(&["127.0.0.2", "::1"])),
        ("metadata.test", Answer::of(&["169.254.169.254"])),
        ("private.test", Answer::of(&["10.0.0.1"])),
        ("127.0.0.1.test", Answer::of(&["127.0.0.1"])),
        // A delivery comes first.
        ("rebound.test", turns(&["127.0.0.2", "127.0.0.2", "127.0.0.3"])),
        ("rebinding.test", turns(&["127.0.0.2", "127.0.0.3"])),
    ])
}

async fn start(rig: &Rig, folder: &Path, record: &Path, names: &NameServer) -> Program {
    // The recorder is the program's grandchild: who started the program knows it as its own child. What is sent is not
    // written down, only where to.
    let record = record.to_str().expect("a path");
    let calls = "trace=connect,sendto,sendmsg,sendmmsg";
    let runner = ["strace", "-D", "-f", "-qq", "-s", "0", "-e", calls, "-e", "signal=none", "-o", record];
    let mut command = program::command_under(&runner, &rig.test, folder);
    command.args(["--allow-network", &format!("{ALLOWED}/32"), "--name-server", &names.address.to_string()]);
    Program::start(&mut command).await
}

/// The addresses in a record.
fn dialled(record: &Path) -> BTreeSet<SocketAddr> {
    let text = std::fs::read_to_string(record).expect("a record");
    text.lines().filter_map(dialled_by).collect()
}

/// The address that a call names; none for a socket that is connected already, or a local one.
fn dialled_by(call: &str) -> Option<SocketAddr> {
    let between = |before: &str, after: &str| call.split_once(before)?.1.split_once(after).map(|(found, _)| found);
    let port = between("sin_port=htons(", ")").or_else(|| between("sin6_port=htons(", ")"))?;
    let address = between("inet_addr(\"", "\"").or_else(|| between("inet_pton(AF_INET6, \"", "\""))?;
    Some(SocketAddr::new(address.parse::<IpAddr>().expect("an address"), port.parse().expect("a port")))
}

#[test]
fn a_record_is_understood() {
    for (call, found) in [
        (
            r#"7 connect(9, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("10.0.0.1")}, 16) = -1 EINPROGRESS"#,
            Some("10.0.0.1:80"),
        ),
        (
            r#"7 connect(9, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = 0"#,
            Some("[::1]:443"),
        ),
        (
            r#"7 sendto(9, ""..., 30, MSG_NOSIGNAL, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.53")}, 16) = 30"#,
            Some("127.0.0.53:53"),
        ),
        (r#"7 sendto(9, ""..., 30, MSG_NOSIGNAL, NULL, 0) = 30"#, None),
        (r#"7 connect(9, {sa_family=AF_UNIX, sun_path="/run/nscd/socket"}, 110) = -1 ENOENT"#, None),
    ] {
        assert_eq!(dialled_by(call), found.map(|text| text.parse().expect("an address")), "{call}");
    }
}
