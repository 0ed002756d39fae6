//! Names of hosts and addresses of mail. A label that begins with `xn--` is looked at as any other: what it stands for is not.

use std::net::{Ipv4Addr, Ipv6Addr};

/// RFC 1123
pub(super) fn is_hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// RFC 5321, `Mailbox`
pub(super) fn is_email(text: &str) -> bool {
    text.is_ascii() && is_mailbox(text, is_hostname)
}

/// RFC 6531: characters beyond ASCII too.
pub(super) fn is_idn_email(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_alphanumeric() || c == '-' || !c.is_ascii())
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    is_mailbox(text, |domain| domain.split('.').all(is_label))
}

fn is_mailbox(text: &str, is_domain: impl Fn(&str) -> bool) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    is_local_part(local)
        && match domain.strip_prefix('[').and_then(|domain| domain.strip_suffix(']')) {
            Some(literal) => is_address(literal),
            None => is_domain(domain),
        }
}

fn is_address(literal: &str) -> bool {
    match literal.strip_prefix("IPv6:") {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => literal.parse::<Ipv4Addr>().is_ok(),
    }
}

fn is_local_part(text: &str) -> bool {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.strip_suffix('"').is_some_and(is_quoted);
    }
    let is_atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii();
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
}

fn is_quoted(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(character) = chars.next() {
        let is_allowed = match character {
            '\\' => chars.next().is_some_and(|escaped| (' '..='~').contains(&escaped)),
            '"' => false,
            _ => character == ' ' || !character.is_control(),
        };
        if !is_allowed {
            return false;
        }
    }
    true
}
