//! `wasmill tap`: what happens to events inside of a running pipeline, as its host tells it.

mod client;
mod shown;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_json::Value;

use crate::cli::{Output, TapArgs};
use crate::commands::{Exit, load, say};
use crate::config::Config;
use crate::terminal::TextLines;
use client::Lines;
use shown::Shown;

/// Prints what is told until the limit, Ctrl-C, or the end of the pipeline.
///
/// # Errors
/// None but those of the runtime.
pub async fn run(args: &TapArgs) -> anyhow::Result<Exit> {
    let address = match (&args.admin, &args.config) {
        (Some(admin), _) => authority(admin),
        (None, Some(file)) => match load(file) {
            Ok(config) => of_config(&config),
            Err(exit) => return Ok(exit),
        },
        (None, None) => Err("name the pipeline's file, or its address with --admin".to_owned()),
    };
    let address = match address {
        Ok(address) => address,
        Err(reason) => return Ok(Exit::failed(reason)),
    };
    let told = tokio::select! {
        told = tell(&address, args) => told,
        // Without a signal handler nothing but the signal ends it.
        Ok(()) = tokio::signal::ctrl_c() => Ok(()),
    };
    Ok(told.map_or_else(Exit::failed, |()| Exit::success()))
}

/// Prints what the pipeline at `address` tells.
///
/// # Errors
/// A sentence that says why it tells nothing, or no more.
async fn tell(address: &str, args: &TapArgs) -> Result<(), String> {
    let mut lines = Lines::of(address, &args.request()).await?;
    let mut out = std::io::stdout();
    let mut shown = Shown::new(TextLines::of_stdout());
    while let Some(line) = lines.next().await? {
        let told: Value = serde_json::from_slice(&line).map_err(|_| client::no_tap(address))?;
        let text = match (args.format, told["kind"].as_str()) {
            (Output::Json, _) => String::from_utf8_lossy(&line).into_owned(),
            (Output::Text, Some("tapping")) => {
                say(&shown::tapping(&told));
                continue;
            }
            (Output::Text, _) => shown.text(&told),
        };
        // A reader that went away is no failure of ours.
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() || told["kind"] == "end" {
            return Ok(());
        }
    }
    Err(format!("the pipeline at {address} broke off: it was killed, or the connection was; see its log"))
}

/// Host and port of what was given as an address.
fn authority(given: &str) -> Result<String, String> {
    if given.starts_with("https://") {
        return Err("the admin pages speak plain HTTP: give their address as http://HOST:PORT".to_owned());
    }
    let address = given.strip_prefix("http://").unwrap_or(given).trim_end_matches('/');
    let is_address = address.parse::<http::uri::Authority>().is_ok_and(|address| address.port().is_some());
    is_address
        .then(|| address.to_owned())
        .ok_or_else(|| format!("\"{given}\" is no address; write IP:PORT or http://HOST:PORT"))
}

/// Where the pages of the pipeline in a file are, if it runs on this machine.
fn of_config(config: &Config) -> Result<String, String> {
    let pages = config.admin.as_ref().ok_or_else(|| {
        "this pipeline has no admin pages (`admin: false`), and it is by them that it can be tapped; give them an address".to_owned()
    })?;
    if pages.tap.is_none() {
        return Err(crate::tap::Refused::Off.to_string());
    }
    match pages.address.port() {
        0 => Err("the pages of this pipeline get a free port when it starts, and its log says which; name it with --admin IP:PORT".to_owned()),
        port => Ok(SocketAddr::new(reachable(pages.address.ip()), port).to_string()),
    }
}

/// An address by which what listens at `ip` can be reached from here.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_has_a_port_and_no_tls() {
        for given in ["127.0.0.1:9600", "http://127.0.0.1:9600", "http://127.0.0.1:9600/"] {
            assert_eq!(authority(given).as_deref(), Ok("127.0.0.1:9600"), "{given}");
        }
        assert_eq!(authority("[::1]:9600").as_deref(), Ok("[::1]:9600"));
        for given in ["", "127.0.0.1", "https://a:1", "http://a:1/tap", "a b:1"] {
            assert!(authority(given).is_err(), "{given}");
        }
    }

    #[test]
    fn pages_on_all_addresses_are_reached_on_this_machine() {
        let reached = |ip: &str| reachable(ip.parse().unwrap()).to_string();
        assert_eq!([reached("0.0.0.0"), reached("::"), reached("10.0.0.7")], ["127.0.0.1", "::1", "10.0.0.7"]);
    }
}
