//! Servers that the user already has, given by address in the environment.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Result, bail};

use super::{DATABASE_URL, DNS_SERVER, KAFKA_BROKERS};

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// The value of one of the variables that give a server's address; `None` when it is unset or empty.
pub fn given(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// Checks that a server answers at the address that a variable gives. The message has host and port alone, no password.
///
/// # Errors
/// When the value names no host and port, or nothing listens there.
pub fn is_reachable(variable: &str, value: &str) -> Result<()> {
    // DNS is asked by UDP, which knows no connection.
    if variable == DNS_SERVER {
        return Ok(());
    }
    let addresses = addresses(variable, value);
    if addresses.is_empty() {
        bail!("{variable} names no host and port");
    }
    if !addresses.iter().any(|address| connects(address)) {
        bail!("nothing answers at {} (from {variable}): start it, or unset the variable", addresses.join(", "));
    }
    Ok(())
}

fn addresses(variable: &str, value: &str) -> Vec<String> {
    match variable {
        KAFKA_BROKERS => value.split(',').map(|broker| with_port(broker.trim(), "9092")).collect(),
        DATABASE_URL => host_of_url(value).map(|host| with_port(host, "5432")).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// `HOST[:PORT]` of `scheme://user:password@HOST[:PORT]/path?query`.
fn host_of_url(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then_some(host)
}

fn with_port(host: &str, port: &str) -> String {
    let has_port = host.rsplit_once(':').is_some_and(|(_, end)| end.chars().all(|c| c.is_ascii_digit()));
    if has_port { host.to_owned() } else { format!("{host}:{port}") }
}

fn connects(address: &str) -> bool {
    let resolved = address.to_socket_addrs().into_iter().flatten();
    resolved.into_iter().any(|address| TcpStream::connect_timeout(&address, CONNECT_PATIENCE).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn host_is_found_in_a_url_with_and_without_password_and_port() {
        assert_eq!(addresses(DATABASE_URL, "postgres://u:p%40@db.example:5433/x?sslmode=off"), ["db.example:5433"]);
        assert_eq!(addresses(DATABASE_URL, "postgres://db.example/x"), ["db.example:5432"]);
        assert_eq!(addresses(DATABASE_URL, "no address"), [""; 0]);
        assert_eq!(addresses(KAFKA_BROKERS, "a:1, b"), ["a:1", "b:9092"]);
    }

    #[test]
    fn a_server_that_is_away_is_named_without_its_password() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("postgres://me:secret@{}/x", listener.local_addr().unwrap());
        is_reachable(DATABASE_URL, &url).unwrap();
        // Nobody listens on port 1.
        let url = "postgres://me:secret@127.0.0.1:1/x";
        let message = is_reachable(DATABASE_URL, url).unwrap_err().to_string();
        assert!(message.contains("127.0.0.1") && !message.contains("secret"), "{message}");
    }
}
