//! A DNS server that knows a few names of the documentation ranges and asks nobody else, for tests of look-ups.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::debian;
use super::folders::{self, cannot};
use super::process::{ProcessId, Signal};
use super::requirements::on_path;
use super::server::{Recipe, Server};

/// A DNS server.
pub type Dns = Server<DnsRecipe>;

/// A DNS server has no settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRecipe {}

/// `192.0.2.1` is `router1.example.test`, `192.0.2.7` is `seven.example.test`; every other name does not exist.
const RECORDS: &str = "\
host-record=router1.example.test,192.0.2.1
host-record=web.example.test,2001:db8::5
ptr-record=7.2.0.192.in-addr.arpa,seven.example.test
local-ttl=2
";
const PROGRAMS: &str = "usr/sbin";
const ANSWER_PATIENCE: Duration = Duration::from_millis(200);

impl Dns {
    /// Its address and port, for `DNS_SERVER`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }
}

impl Recipe for DnsRecipe {
    const NAME: &'static str = "dns";
    const STOP: Signal = Signal::Terminate;

    fn install(&self) -> Result<()> {
        if on_path("dnsmasq").is_some() {
            return Ok(());
        }
        let prefix = prefix()?;
        let _lock = folders::lock("dns")?;
        if prefix.exists() {
            return Ok(());
        }
        eprintln!("downloading dnsmasq ...");
        let unfinished = folders::beside(&prefix, "unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).with_context(|| cannot("delete", &unfinished))?;
        }
        debian::unpack(&["dnsmasq-base"], &unfinished, PROGRAMS)?;
        fs::rename(&unfinished, &prefix).with_context(|| cannot("make", &prefix))
    }

    fn prepare(&self, folder: &Path, port: u16) -> Result<()> {
        let user = if folders::is_root() { "user=root\n" } else { "" };
        let config = format!(
            "port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nno-poll\nlocal=/#/\n\
             keep-in-foreground\nlog-facility=-\npid-file=\n{user}{RECORDS}"
        );
        let path = folder.join("dnsmasq.conf");
        fs::write(&path, config).with_context(|| cannot("write", &path))
    }

    fn command(&self, folder: &Path, _port: u16) -> Result<Command> {
        let own = prefix()?.join(PROGRAMS).join("dnsmasq");
        let mut command = Command::new(on_path("dnsmasq").unwrap_or(own));
        command.arg("-C").arg(folder.join("dnsmasq.conf"));
        Ok(command)
    }

    fn is_ready(&self, _folder: &Path, port: u16, _process: ProcessId) -> bool {
        ask(port).is_ok()
    }
}

fn prefix() -> Result<PathBuf> {
    Ok(folders::downloads()?.join("dnsmasq-1"))
}

/// Asks for the address of `router1.example.test` and waits for any answer.
fn ask(port: u16) -> Result<()> {
    const QUERY: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x07router1\x07example\x04test\0\0\x01\0\x01";
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot open a socket")?;
    socket.set_read_timeout(Some(ANSWER_PATIENCE))?;
    socket.connect((Ipv4Addr::LOCALHOST, port))?;
    socket.send(QUERY)?;
    socket.recv(&mut [0; 512])?;
    Ok(())
}
