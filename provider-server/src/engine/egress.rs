//! The egress policy (P10): which addresses we connect to. The same code serves the saving of an address, its test and
//! every delivery.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, RwLock},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

use crate::error::Refusal;

const MAX_URL_BYTES: usize = 2_048;

/// IPv4 ranges that are not public, by network and prefix.
const DENIED_V4: [([u8; 4], u8); 16] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
    // A cloud's platform service, reachable from its machines only.
    ([168, 63, 129, 16], 32),
];
/// The public part of IPv6, and what inside it is not.
const PUBLIC_V6: ([u16; 8], u8) = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
const DENIED_V6: [([u16; 8], u8); 4] = [
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0x2001, 0x0db8, 0, 0, 0, 0, 0, 0], 32),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

/// Why an address is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// Not a public address, and not allowed by `--allow-network`.
    NotPublic,
    /// An address of this machine.
    Ourselves,
    /// One of this server's own listening sockets; never allowed.
    OwnSocket,
    /// http outside the allowed networks.
    Plaintext,
}

impl Blocked {
    /// A word for the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotPublic => "not_public",
            Self::Ourselves => "own_address",
            Self::OwnSocket => "own_socket",
            Self::Plaintext => "plaintext",
        }
    }

    /// In words, with the next step.
    pub fn explain(self) -> &'static str {
        match self {
            Self::NotPublic => {
                "it is not a public address; use a public one, or allow its network with --allow-network"
            }
            Self::Ourselves => {
                "it is an address of this server; use another, or allow its network with --allow-network"
            }
            Self::OwnSocket => "it is a port that this server itself listens on",
            Self::Plaintext => "http is only for networks that --allow-network opens; use https",
        }
    }
}

/// The policy of this server. Cheap to clone.
#[derive(Clone, Default)]
pub struct Policy {
    allowed: Arc<[IpNet]>,
    own_sockets: Arc<RwLock<Vec<SocketAddr>>>,
}

impl Policy {
    /// A policy that also allows these networks, http in them too.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed: allowed.into(), own_sockets: Arc::default() }
    }

    /// Adds a socket that this server listens on: it is never connected to.
    pub fn add_own_socket(&self, socket: SocketAddr) {
        self.own_sockets.write().expect("no holder of this lock panics").push(socket);
    }

    /// Vets an address as staff enter it. Names are vetted again, by their addresses, whenever they are dialled.
    pub fn vet_url(&self, text: &str) -> Result<Url, Refusal> {
        let url = parse_plain(text)?;
        let plaintext = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(refuse("must start with https://")),
        };
        let port =
            url.port_or_known_default().filter(|port| *port != 0).ok_or_else(|| refuse("has an unusable port"))?;
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(name)) => {
                vet_name(name)?;
                if plaintext && self.allowed.is_empty() {
                    return Err(refuse(Blocked::Plaintext.explain()));
                }
                None
            }
            None => return Err(refuse("names no host")),
        };
        if let Some(address) = address {
            self.vet(SocketAddr::new(address, port), plaintext).map_err(|blocked| refuse(blocked.explain()))?;
        }
        Ok(url)
    }

    /// Vets one address right before it is dialled.
    pub fn vet(&self, socket: SocketAddr, plaintext: bool) -> Result<(), Blocked> {
        let address = socket.ip();
        if self.is_own_socket(socket) {
            return Err(Blocked::OwnSocket);
        }
        if self.allowed.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        if plaintext {
            return Err(Blocked::Plaintext);
        }
        if !is_public(address) {
            return Err(Blocked::NotPublic);
        }
        if is_local(address) {
            return Err(Blocked::Ourselves);
        }
        Ok(())
    }

    fn is_own_socket(&self, socket: SocketAddr) -> bool {
        let own = self.own_sockets.read().expect("no holder of this lock panics");
        own.iter().any(|own| {
            own.port() == socket.port()
                && (own.ip() == socket.ip() || (own.ip().is_unspecified() && is_local(socket.ip())))
        })
    }
}

fn refuse(what: &str) -> Refusal {
    Refusal::field("url", what)
}

/// Parses a URL that is written the plain way: what is parsed is what was typed.
fn parse_plain(text: &str) -> Result<Url, Refusal> {
    if text.len() > MAX_URL_BYTES {
        return Err(refuse("is longer than 2,048 characters"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refuse("must be plain ASCII without spaces: write international names as xn--…"));
    }
    if text.contains(['\\', '#', '<', '>', '"', '{', '}', '|', '^', '`']) {
        return Err(refuse("must not contain a fragment (#…), a backslash, quotes or brackets"));
    }
    let url = Url::parse(text).map_err(|error| refuse(&format!("is not a URL ({error})")))?;
    // Without the slashes that belong there, others further on would be taken for them.
    let rest = text.split_once("://").filter(|(scheme, _)| scheme.eq_ignore_ascii_case(url.scheme()));
    let (_, rest) = rest.ok_or_else(|| refuse("must start with https://"))?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(refuse("must not contain a user name or password"));
    }
    let typed_host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']').map(|(host, _)| format!("[{host}]")),
        None => authority.split(':').next().map(str::to_owned),
    };
    let parsed_host = url.host_str().unwrap_or_default();
    if !typed_host.is_some_and(|typed| typed.eq_ignore_ascii_case(parsed_host)) {
        return Err(refuse(&format!("writes its host in an unusual form; it means {parsed_host}")));
    }
    Ok(url)
}

fn vet_name(name: &str) -> Result<(), Refusal> {
    let label_is_fine = |label: &str| {
        let bytes = label.as_bytes();
        (1..=63).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > 253 || name.ends_with('.') || !name.split('.').all(label_is_fine) {
        return Err(refuse("names no valid host; leave out a trailing dot"));
    }
    Ok(())
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !DENIED_V4
            .iter()
            .any(|(network, prefix)| Ipv4Net::new_assert(Ipv4Addr::from(*network), *prefix).contains(&address)),
        IpAddr::V6(address) => {
            let inside =
                |(network, prefix): ([u16; 8], u8)| Ipv6Net::new_assert(network.into(), prefix).contains(&address);
            inside(PUBLIC_V6) && !DENIED_V6.into_iter().any(inside)
        }
    }
}

/// Whether this machine has the address: only then a socket can be bound to it.
fn is_local(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn loopback_allowed() -> Policy {
        Policy::new(vec!["127.0.0.0/8".parse().expect("a network")])
    }

    #[test]
    fn every_odd_notation_is_refused() {
        for url in [
            "http://93.184.216.34/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://１２７.0.0.1/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:8.8.8.8]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[fe80::1%25eth0]/",
            "https://169.254.169.254/latest/meta-data",
            "https://168.63.129.16/",
            "https://school.example./hook",
            "https://user@school.example/",
            "https://user:pw@school.example/",
            "https://@school.example/",
            "https://school.example/#x",
            "https://school.example\\@evil/",
            "https://sch%6fol.example/",
            "https://schüle.example/",
            "https:school.example/",
            "https:school.example://school.example/",
            "https:///school.example/",
            "ftp://school.example/",
            "file:///etc/passwd",
            "https://school.example:0/",
            "https://school.example:99999/",
            "https://sch ool.example/",
            "https://school.example/\n",
            "https://-school.example/",
            "",
        ] {
            assert!(Policy::default().vet_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn plain_public_addresses_pass_and_allowed_networks_open_http() {
        for url in [
            "https://school.example/hook?a=1",
            "https://8.8.8.8:8443/",
            "https://[2606:4700::1111]/",
            "https://xn--schle-kva.example/",
        ] {
            assert!(Policy::default().vet_url(url).is_ok(), "{url}");
        }
        let policy = loopback_allowed();
        for url in ["http://127.0.0.1:8080/webhook", "https://127.0.0.1/", "http://localhost:8080/"] {
            assert!(policy.vet_url(url).is_ok(), "{url}");
        }
        assert!(policy.vet_url("http://10.0.0.1/").is_err());
        assert!(policy.vet_url("http://2130706433/").is_err(), "an odd form stays refused");
    }

    #[test]
    fn an_own_socket_is_never_connected_to() {
        let policy = loopback_allowed();
        let own: SocketAddr = "127.0.0.1:7000".parse().expect("a socket");
        assert_eq!(policy.vet(own, true), Ok(()));
        policy.add_own_socket(own);
        policy.add_own_socket("0.0.0.0:7001".parse().expect("a socket"));
        assert_eq!(policy.vet(own, true), Err(Blocked::OwnSocket));
        assert_eq!(policy.vet("127.0.0.3:7001".parse().expect("a socket"), true), Err(Blocked::OwnSocket));
        assert!(policy.vet_url("http://127.0.0.1:7000/").is_err());
    }

    /// The same rule by arithmetic on the number, independent of the network types above.
    fn oracle_v4(address: u32) -> bool {
        let [a, b, c, d] = address.to_be_bytes();
        let denied = a == 0
            || a == 10
            || a == 127
            || a >= 224
            || (a == 100 && (64..128).contains(&b))
            || (a == 169 && b == 254)
            || (a == 172 && (16..32).contains(&b))
            || (a == 192 && b == 168)
            || (a == 192 && b == 0 && (c == 0 || c == 2))
            || (a == 192 && b == 88 && c == 99)
            || (a == 198 && (b == 18 || b == 19))
            || (a == 198 && b == 51 && c == 100)
            || (a == 203 && b == 0 && c == 113)
            || (a == 168 && b == 63 && c == 129 && d == 16);
        !denied
    }

    fn oracle_v6(address: u128) -> bool {
        let (first, second) = ((address >> 112) as u16, (address >> 96) as u16);
        let public = (0x2000..0x4000).contains(&first);
        let denied = (first == 0x2001 && (second < 0x0200 || second == 0x0db8))
            || first == 0x2002
            || (first == 0x3fff && second < 0x1000);
        public && !denied
    }

    #[test]
    fn the_first_and_last_address_of_every_range_agree_with_the_oracle() {
        for (network, prefix) in DENIED_V4 {
            let net = Ipv4Net::new_assert(Ipv4Addr::from(network), prefix);
            for edge in [u32::from(net.network()), u32::from(net.broadcast())] {
                for address in [edge.wrapping_sub(1), edge, edge.wrapping_add(1)] {
                    assert_eq!(
                        is_public(Ipv4Addr::from(address).into()),
                        oracle_v4(address),
                        "{}",
                        Ipv4Addr::from(address)
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn random_addresses_agree_with_the_oracle(v4: u32, v6: u128, tail: u128) {
            prop_assert_eq!(is_public(Ipv4Addr::from(v4).into()), oracle_v4(v4));
            for address in [v6, (v6 & !(0xF << 124)) | (0x2 << 124), (0x2001u128 << 112) | (tail >> 20)] {
                prop_assert_eq!(is_public(std::net::Ipv6Addr::from(address).into()), oracle_v6(address));
            }
        }

        #[test]
        fn no_text_panics_and_none_reaches_a_private_literal(text in "https?://[0-9a-fx.\\[\\]:%]{1,24}/") {
            if let Ok(url) = Policy::default().vet_url(&text)
                && let Some(Host::Ipv4(address)) = url.host()
            {
                prop_assert!(is_public(address.into()));
            }
        }
    }
}
