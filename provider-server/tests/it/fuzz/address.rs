//! A webhook's address as staff type it → whether a server that no network was opened to may send there.

use std::net::{Ipv4Addr, Ipv6Addr};

use provider_server::engine::egress::Policy;

#[test]
fn addresses_agree_with_a_table_of_their_own() {
    super::feed::Feed::of("address").run(60_000, check);
}

pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let answer = Policy::default().vet_url(&text);
    if let Some(expected) = verdict(&text) {
        let said = answer.as_ref().err().map(ToString::to_string);
        assert_eq!(answer.is_ok(), expected, "{text:?}: {said:?}");
    }
}

/// What is right, said once more by hand and without a parser of URLs; nothing where that needs Punycode.
fn verdict(text: &str) -> Option<bool> {
    let is_plain = text.len() <= 2_048
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(['\\', '#', '<', '>', '"', '{', '}', '|', '^', '`']);
    let starts = text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"));
    if !is_plain || !starts {
        return Some(false);
    }
    let end = text[8..].find(['/', '?']).map_or(text.len(), |at| at + 8);
    let authority = &text[8..end];
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, port)) = rest.split_once(']') else { return Some(false) };
        let Ok(address) = host.parse::<Ipv6Addr>() else { return Some(false) };
        return Some(is_port(port) && address.to_string().eq_ignore_ascii_case(host) && is_public_v6(address));
    }
    let (host, port) = authority.find(':').map_or((authority, ""), |at| authority.split_at(at));
    if !is_port(port) || host.is_empty() || host.len() > 253 {
        return Some(false);
    }
    let labels: Vec<&str> = host.split('.').collect();
    let is_label = |label: &&str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !labels.iter().all(is_label) {
        return Some(false);
    }
    let last = labels[labels.len() - 1].to_ascii_lowercase();
    let hex = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if hex || last.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number: nothing but four plain ones is as it was typed.
        let address = host.parse::<Ipv4Addr>().ok().filter(|address| address.to_string() == host);
        return Some(address.is_some_and(is_public_v4));
    }
    if labels.iter().any(|label| label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--"))) {
        return None;
    }
    Some(true)
}

/// Nothing, or a colon and a number that a port can have; nothing after the colon means the default.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        None => text.is_empty(),
        Some("") => true,
        Some(digits) => {
            let significant = digits.trim_start_matches('0');
            digits.bytes().all(|byte| byte.is_ascii_digit())
                && significant.len() <= 5
                && significant.parse::<u32>().is_ok_and(|port| (1..=65_535).contains(&port))
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let number = u32::from(address);
    // First and last of what is not: IANA's special-purpose registry, multicast, reserved, and a cloud's own service.
    let table: [(u32, u32); 15] = [
        (0x0000_0000, 0x00ff_ffff),
        (0x0a00_0000, 0x0aff_ffff),
        (0x6440_0000, 0x647f_ffff),
        (0x7f00_0000, 0x7fff_ffff),
        (0xa83f_8110, 0xa83f_8110),
        (0xa9fe_0000, 0xa9fe_ffff),
        (0xac10_0000, 0xac1f_ffff),
        (0xc000_0000, 0xc000_00ff),
        (0xc000_0200, 0xc000_02ff),
        (0xc058_6300, 0xc058_63ff),
        (0xc0a8_0000, 0xc0a8_ffff),
        (0xc612_0000, 0xc613_ffff),
        (0xc633_6400, 0xc633_64ff),
        (0xcb00_7100, 0xcb00_71ff),
        (0xe000_0000, 0xffff_ffff),
    ];
    !table.iter().any(|(first, last)| (*first..=*last).contains(&number))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let number = u128::from(address) >> 96;
    let denied: [(u128, u128); 4] = [
        (0x2001_0000, 0x2001_01ff),
        (0x2001_0db8, 0x2001_0db8),
        (0x2002_0000, 0x2002_ffff),
        (0x3fff_0000, 0x3fff_0fff),
    ];
    (0x2000_0000..0x4000_0000).contains(&number)
        && !denied.iter().any(|(first, last)| (*first..=*last).contains(&number))
}
