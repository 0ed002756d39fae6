//! A DNS server of a test's own, over UDP and TCP, that does what the test tells it: also what no decent server does.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What the server does about a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It answers with these names, of labels joined by dots.
    Names(Vec<&'static str>),
    /// It answers with one name of these labels, whatever their bytes.
    Labels(Vec<Vec<u8>>),
    /// It answers that the name is another one's, and with that one's name.
    Cname(&'static str),
    /// There is no such name.
    NxDomain,
    /// There is such a name, and nothing is known about it.
    NoData,
    /// It cannot say.
    ServerFailure,
    /// It says nothing.
    Silence,
    /// It answers with this name when [`DnsServer::release`] is called.
    Held(&'static str),
    /// By UDP it says that the answer does not fit; by TCP it is this name.
    Truncated(&'static str),
    /// It answers with this name to a question that nobody asked: of another identifier.
    WrongId(&'static str),
    /// The same: about another address.
    OtherQuestion(&'static str),
    /// It answers the question with a record about another address.
    OtherOwner(&'static str),
    /// What it sends is no DNS.
    Garbage,
}

/// Asked by which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

type Script = Box<dyn Fn(IpAddr) -> Reaction + Send>;

/// Seconds that names hold.
const TTL: u32 = 300;
const PTR: u16 = 12;
const CNAME: u16 = 5;

/// The server. Dropping it ends it.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    udp: UdpSocket,
    script: Mutex<Script>,
    asked: Mutex<Vec<(IpAddr, Way)>>,
    held: Mutex<Vec<(Vec<u8>, SocketAddr)>>,
    ends: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl DnsServer {
    /// Starts one that reacts so to each question about an address.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start(script: impl Fn(IpAddr) -> Reaction + Send + 'static) -> Self {
        // A port that is free by UDP may be taken by TCP.
        let sockets = || {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let address = udp.local_addr().expect("its address");
            TcpListener::bind(address).ok().map(|tcp| (udp, tcp, address))
        };
        let (udp, tcp, address) = (0..20).find_map(|_| sockets()).expect("a port that is free by UDP and TCP");
        let shared = Arc::new(Shared {
            udp,
            script: Mutex::new(Box::new(script)),
            asked: Mutex::default(),
            held: Mutex::default(),
            ends: AtomicBool::new(false),
        });
        let (by_udp, by_tcp) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads =
            vec![std::thread::spawn(move || serve_udp(&by_udp)), std::thread::spawn(move || serve_tcp(&by_tcp, &tcp))];
        Self { address, shared, threads }
    }

    /// Where it is.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Reacts otherwise from now on.
    pub fn behave(&self, script: impl Fn(IpAddr) -> Reaction + Send + 'static) {
        *self.shared.script.lock().expect("no thread panics") = Box::new(script);
    }

    /// Every question so far, in their order.
    pub fn asked(&self) -> Vec<(IpAddr, Way)> {
        self.shared.asked.lock().expect("no thread panics").clone()
    }

    /// Sends the answers that were held.
    pub fn release(&self) {
        for (answer, to) in self.shared.held.lock().expect("no thread panics").drain(..) {
            let _ = self.shared.udp.send_to(&answer, to);
        }
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        // Both threads wait for somebody.
        let _ = self.shared.udp.send_to(&[], self.address);
        let _ = TcpStream::connect(self.address);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

fn serve_udp(shared: &Shared) {
    let mut packet = [0; 4096];
    while let Ok((length, from)) = shared.udp.recv_from(&mut packet) {
        if shared.ends.load(Ordering::Relaxed) {
            return;
        }
        let Some(question) = Question::read(&packet[..length]) else { continue };
        let (reaction, answer) = shared.answer(&question, Way::Udp);
        match reaction {
            Reaction::Held(_) => {
                shared.held.lock().expect("no thread panics").extend(answer.map(|answer| (answer, from)))
            }
            _ => drop(answer.map(|answer| shared.udp.send_to(&answer, from))),
        }
    }
}

fn serve_tcp(shared: &Arc<Shared>, listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        if shared.ends.load(Ordering::Relaxed) {
            return;
        }
        let shared = Arc::clone(shared);
        std::thread::spawn(move || serve_stream(&shared, stream));
    }
}

fn serve_stream(shared: &Shared, mut stream: TcpStream) {
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
        if stream.read_exact(&mut packet).is_err() {
            return;
        }
        let Some(question) = Question::read(&packet) else { return };
        let (_, answer) = shared.answer(&question, Way::Tcp);
        let Some(answer) = answer else { continue };
        let framed = [&(answer.len() as u16).to_be_bytes()[..], &answer].concat();
        if stream.write_all(&framed).is_err() {
            return;
        }
    }
}

impl Shared {
    fn answer(&self, question: &Question, way: Way) -> (Reaction, Option<Vec<u8>>) {
        self.asked.lock().expect("no thread panics").push((question.address, way));
        let reaction = (self.script.lock().expect("no thread panics"))(question.address);
        let answer = question.answer(&reaction, way);
        (reaction, answer)
    }
}

/// A question about an address.
struct Question {
    id: [u8; 2],
    /// The whole question section.
    section: Vec<u8>,
    name: Vec<u8>,
    address: IpAddr,
}

impl Question {
    fn read(packet: &[u8]) -> Option<Self> {
        let mut labels = Vec::new();
        let mut at = 12;
        while let length @ 1.. = usize::from(*packet.get(at)?) {
            labels.push(String::from_utf8_lossy(packet.get(at + 1..at + 1 + length)?).to_lowercase());
            at += 1 + length;
        }
        let name = packet[12..=at].to_vec();
        let section = packet.get(12..at + 5)?.to_vec();
        Some(Self { id: [packet[0], packet[1]], section, name, address: address_of(&labels)? })
    }

    fn answer(&self, reaction: &Reaction, way: Way) -> Option<Vec<u8>> {
        let other = wire_name(&["9", "9", "9", "203", "in-addr", "arpa"]);
        let pointer = |owner: &[u8], name: &str| record(owner, PTR, &wire_name(&name.split('.').collect::<Vec<_>>()));
        let about_it = |name: &&'static str| pointer(&self.name, name);
        Some(match reaction {
            Reaction::Silence => return None,
            Reaction::Garbage => b"\xff no DNS at all".to_vec(),
            Reaction::Names(names) => self.message(0, 0, &names.iter().map(about_it).collect::<Vec<_>>()),
            Reaction::Labels(labels) => self.message(0, 0, &[record(&self.name, PTR, &wire_name(labels))]),
            Reaction::Cname(name) => {
                let cname = record(&self.name, CNAME, &other);
                self.message(0, 0, &[cname, pointer(&other, name)])
            }
            Reaction::NxDomain => self.message(0, 3, &[]),
            Reaction::NoData => self.message(0, 0, &[]),
            Reaction::ServerFailure => self.message(0, 2, &[]),
            Reaction::Truncated(_) if way == Way::Udp => self.message(2, 0, &[]),
            Reaction::Held(name) | Reaction::Truncated(name) => self.message(0, 0, &[about_it(name)]),
            Reaction::WrongId(name) => {
                let mut message = self.message(0, 0, &[about_it(name)]);
                message[0] ^= 0xff;
                message
            }
            Reaction::OtherQuestion(name) => {
                let section = [&other[..], &PTR.to_be_bytes(), &1_u16.to_be_bytes()].concat();
                let asked = Self { id: self.id, section, name: other.clone(), address: self.address };
                asked.message(0, 0, &[pointer(&other, name)])
            }
            Reaction::OtherOwner(name) => self.message(0, 0, &[pointer(&other, name)]),
        })
    }

    /// An answer with further flags, a code and records.
    fn message(&self, flags: u8, code: u8, records: &[Vec<u8>]) -> Vec<u8> {
        let counts = [1, records.len() as u16, 0, 0].map(u16::to_be_bytes).concat();
        let mut message = [&self.id[..], &[0x81 | flags, 0x80 | code], &counts, &self.section].concat();
        message.extend(records.concat());
        message
    }
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let head = [&kind.to_be_bytes()[..], &1_u16.to_be_bytes(), &TTL.to_be_bytes(), &(data.len() as u16).to_be_bytes()];
    [owner, &head.concat(), data].concat()
}

fn wire_name<L: AsRef<[u8]>>(labels: &[L]) -> Vec<u8> {
    let mut name: Vec<u8> =
        labels.iter().flat_map(|label| [&[label.as_ref().len() as u8][..], label.as_ref()].concat()).collect();
    name.push(0);
    name
}

/// The address that a reverse name is of.
fn address_of(labels: &[String]) -> Option<IpAddr> {
    let digits: Vec<&str> = labels.iter().rev().skip(2).map(String::as_str).collect();
    match labels.iter().rev().nth(1)?.as_str() {
        "in-addr" => digits.join(".").parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "ip6" => u128::from_str_radix(&digits.concat(), 16).ok().map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        _ => None,
    }
}
