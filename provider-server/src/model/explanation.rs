//! A failed attempt in words, with the next step. Pure; never contains what a receiver said.

use super::outcome::{Cause, SHORTAGE};

/// What a failed attempt means and what to do; empty on success. `detail` narrows the cause.
pub fn explain(cause: Option<Cause>, detail: &str, code: u16) -> String {
    let Some(cause) = cause else { return String::new() };
    match cause {
        Cause::Dns if detail == "slow" => {
            "The host name of the school's address was not resolved in time: check that its DNS is up.".into()
        }
        Cause::Dns => "The host name of the school's address does not resolve: check the address, and that its DNS is \
                       up."
        .into(),
        Cause::Connect if detail == "refused" => {
            "The school's system refused the connection: nothing listens there, or a firewall says no.".into()
        }
        Cause::Connect if detail == "unreachable" => {
            "There is no way to the school's system from here: check the address and this server's network.".into()
        }
        Cause::Connect => "No connection to the school's system: it is down, or a firewall drops our packets.".into(),
        Cause::Tls => tls(detail),
        Cause::Timeout => timeout(detail),
        Cause::Reset => "The connection ended before the answer was whole: look for a crash or a proxy's limit in the \
                         school's system."
            .into(),
        Cause::Redirect => format!(
            "The school's system answered {code}, a redirect, which is never followed: set the final address on the \
             connection."
        ),
        Cause::Http => http(code),
        Cause::TooLarge => {
            "The answer's headers are larger than is read: the address may belong to something else.".into()
        }
        Cause::Blocked => blocked(detail),
        Cause::Gone => {
            "The school's system answered 410 Gone: deliveries are kept until you resume the connection.".into()
        }
        Cause::RateLimited => {
            format!("The school's system asked us to slow down ({code}): the next attempt waits as long as it said.")
        }
        Cause::Protocol => "The answer is not HTTP: the address or its port may belong to something else.".into(),
        Cause::Internal if detail == SHORTAGE => {
            "This server has no handle (open file) left, so nothing was sent and nothing is counted against the school: \
             raise its limit, such as systemd's LimitNOFILE."
                .into()
        }
        Cause::Internal => "A fault of this server: its log says more. The attempt is made again.".into(),
    }
}

fn tls(detail: &str) -> String {
    let what = match detail {
        "expired" => "its certificate has expired: renew it",
        "not_yet_valid" => "its certificate is not valid yet: check its clock",
        "wrong_name" => "its certificate is for another name: use the name in the address",
        "unknown_issuer" | "self_signed" => {
            "its certificate is not from a known authority: use one that is, or set the school's own on the connection"
        }
        "revoked" => "its certificate was revoked: replace it",
        "old_version" => "it speaks only versions of TLS that are not safe any more: let it speak TLS 1.2 or newer",
        "too_large" => "its handshake is larger than is read: let it send its certificate and those between, no others",
        "refused" => "it ended the handshake: its log should say why",
        "closed" | "protocol" => "what answers there does not speak TLS: check the address and its port",
        _ => "its certificate, or one of those sent with it, cannot be used: replace it",
    };
    format!("No secure connection to the school's system: {what}.")
}

fn timeout(detail: &str) -> String {
    let what = match detail {
        "tls" => "it did not finish the TLS handshake in time",
        "body" => "it did not finish its answer in time",
        _ => "it did not answer in time",
    };
    format!("The school's system was too slow: {what}. It should answer first and work later.")
}

fn blocked(detail: &str) -> String {
    match detail {
        "plaintext" => "Plain http is not sent: use https, or start the server with --allow-network for this range.",
        "own_socket" => "The address is this server's own: set the address of the school's system.",
        _ => {
            "The address is not public, so nothing was sent: use a public one, or start the server with \
             --allow-network for its range."
        }
    }
    .into()
}

fn http(code: u16) -> String {
    match code {
        400 => "The school's system does not understand the message (400): its log should say why.".into(),
        401 | 403 => format!(
            "The school's system refused the signature or us ({code}): check that it holds the current secret and that \
             its clock is right."
        ),
        404 | 405 => format!("There is no receiver at this address ({code}): check the address's path."),
        409 => "The school's system has another message under this id (409): tell its developer.".into(),
        413 => "The message is too large for the school's system (413): raise its limit to 256 KiB.".into(),
        500..=599 => format!("The school's system failed ({code}): its log should say why. It is tried again."),
        _ => format!("The school's system answered {code}; only 2xx counts as received."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_words_and_a_success_has_none() {
        assert_eq!(explain(None, "", 200), "");
        for cause in Cause::ALL {
            for detail in ["", "refused", "expired", "slow", "head", "own_socket", "plaintext", "something new"] {
                for code in [0, 302, 401, 404, 418, 429, 503] {
                    let text = explain(Some(cause), detail, code);
                    assert!(text.ends_with('.') && text.len() > 40, "{cause:?} {detail} {code}: {text}");
                }
            }
        }
        assert!(explain(Some(Cause::Tls), "expired", 0).contains("expired"));
        assert!(explain(Some(Cause::Tls), "old_version", 0).contains("let it speak TLS 1.2"));
        assert!(explain(Some(Cause::Tls), "too_large", 0).contains("larger than is read"));
        assert!(explain(Some(Cause::Http), "", 401).contains("401"));
    }
}
