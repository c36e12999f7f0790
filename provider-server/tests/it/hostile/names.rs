//! A name server on loopback that answers as it is told, over UDP.

use std::{
    collections::HashMap,
    net::{self, IpAddr, Ipv4Addr, SocketAddr},
    thread,
};

use tokio::{net::UdpSocket, runtime, sync::oneshot};

const A: u16 = 1;
const AAAA: u16 = 28;
const HEADER_BYTES: usize = 12;
/// Response codes.
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
const REFUSED: u8 = 5;

/// What a name is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// All of these addresses.
    Addresses(Vec<IpAddr>),
    /// One address, another one each time it is asked for; the last one from then on.
    Turns(Vec<Ipv4Addr>),
    /// There is no such name.
    NoSuchName,
    /// The server is in trouble.
    Trouble,
    /// The server does not answer for this name.
    Refused,
    /// Nothing at all.
    Silence,
    /// Bytes that are no message.
    Garbage,
}

impl Answer {
    /// These addresses.
    pub fn of(addresses: &[&str]) -> Self {
        Self::Addresses(addresses.iter().map(|text| text.parse().expect("an address")).collect())
    }
}

/// A running name server; it ends with this value.
pub struct NameServer {
    pub address: SocketAddr,
    _serving: oneshot::Sender<()>,
}

impl NameServer {
    /// Answers for these names, and that there is no other. No answer may be kept.
    pub fn start(names: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        let names: HashMap<String, Answer> = names.into_iter().map(|(name, answer)| (name.into(), answer)).collect();
        let socket = net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("bound");
        socket.set_nonblocking(true).expect("set");
        let (serving, ended) = oneshot::channel();
        // A thread of its own: who asks waits for two seconds, and other receivers keep the test's own threads busy.
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let socket = UdpSocket::from_std(socket).expect("watched");
                tokio::select! {
                    () = serve(socket, names) => {}
                    _ = ended => {}
                }
            });
        });
        Self { address, _serving: serving }
    }
}

async fn serve(socket: UdpSocket, mut names: HashMap<String, Answer>) {
    let mut buffer = [0; 1_024];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.expect("a question");
        let question = &buffer[..length];
        let (name, kind, end) = read_question(question);
        let message = match names.get_mut(&name) {
            None | Some(Answer::NoSuchName) => compose(&question[..end], NXDOMAIN, &[]),
            Some(Answer::Trouble) => compose(&question[..end], SERVFAIL, &[]),
            Some(Answer::Refused) => compose(&question[..end], REFUSED, &[]),
            Some(Answer::Silence) => continue,
            Some(Answer::Garbage) => vec![0xff; 64],
            Some(Answer::Addresses(all)) => {
                let of_kind = |address: &&IpAddr| address.is_ipv4() == (kind == A);
                let addresses: Vec<IpAddr> = all.iter().filter(of_kind).copied().collect();
                compose(&question[..end], 0, &addresses)
            }
            Some(Answer::Turns(_)) if kind != A => compose(&question[..end], 0, &[]),
            Some(Answer::Turns(turns)) => {
                let next = if turns.len() > 1 { turns.remove(0) } else { turns[0] };
                compose(&question[..end], 0, &[next.into()])
            }
        };
        socket.send_to(&message, from).await.expect("answered");
    }
}

/// The name asked for, the kind of record, and where the question ends.
fn read_question(message: &[u8]) -> (String, u16, usize) {
    let (mut labels, mut at) = (Vec::new(), HEADER_BYTES);
    while message[at] != 0 {
        let length = usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..][..length]).to_lowercase());
        at += 1 + length;
    }
    (labels.join("."), u16::from_be_bytes([message[at + 1], message[at + 2]]), at + 5)
}

/// An answer to a question, with these addresses, each good for no time.
fn compose(question: &[u8], code: u8, addresses: &[IpAddr]) -> Vec<u8> {
    let mut message = question.to_vec();
    // An answer, to what was asked recursively, and one question in it.
    message[2..HEADER_BYTES].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, addresses.len() as u8, 0, 0, 0, 0]);
    for address in addresses {
        let (kind, data) = match address {
            IpAddr::V4(address) => (A, address.octets().to_vec()),
            IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
        };
        // The name is the one at the question's place.
        message.extend([0xc0, HEADER_BYTES as u8]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 0, 0, data.len() as u8]);
        message.extend(data);
    }
    message
}
