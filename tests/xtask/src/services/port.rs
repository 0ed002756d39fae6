//! Free ports.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use anyhow::{Result, bail};

/// Below the range that Linux gives to outgoing connections (32768 and up): a client that retries a server which is
/// down must not be given that server's port as its own, or the server cannot come back.
const PORTS: Range<u16> = 10_000..30_000;
const ATTEMPTS_MAX: usize = 200;

/// A port of 127.0.0.1 that nobody listens on, in TCP or UDP.
pub(super) fn free() -> Result<u16> {
    let candidates = std::iter::repeat_with(|| PORTS.start + (random() % u64::from(PORTS.end - PORTS.start)) as u16);
    let Some(port) = candidates.take(ATTEMPTS_MAX).find(|port| is_free(*port)) else {
        bail!("found no free port between {} and {} in {ATTEMPTS_MAX} attempts", PORTS.start, PORTS.end);
    };
    Ok(port)
}

/// Whether nobody listens on this port, on any address of this machine.
///
/// The kernel's own tables are read: to try by binding would let a program that another thread starts at this moment
/// inherit the socket, and the port would look taken until that program has loaded.
pub(super) fn is_free(port: u16) -> bool {
    const LISTENING: &str = "0A";
    let taken = |table: &str, state: Option<&str>| {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        text.lines()
            .any(|line| socket(line).is_some_and(|(at, is)| at == port && state.is_none_or(|state| state == is)))
    };
    !["tcp", "tcp6"].iter().any(|table| taken(table, Some(LISTENING)))
        && !["udp", "udp6"].iter().any(|table| taken(table, None))
}

/// Local port and state of a line `0: 0100007F:1F90 00000000:0000 0A ...`.
fn socket(line: &str) -> Option<(u16, &str)> {
    let mut fields = line.split_whitespace().skip(1);
    let port = fields.next()?.rsplit_once(':')?.1;
    Some((u16::from_str_radix(port, 16).ok()?, fields.nth(1)?))
}

/// 64 random bits, from the standard library's own seeding of hash maps.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener, UdpSocket};

    #[test]
    fn a_port_that_is_taken_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, free().unwrap())).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, free().unwrap())).unwrap();
        assert!(!is_free(socket.local_addr().unwrap().port()));
    }
}
