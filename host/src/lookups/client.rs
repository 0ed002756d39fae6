//! Questions to DNS servers, by hickory: identifiers, ports and questions are checked, answers that were cut come again over TCP, and
//! CNAMEs are followed (RFC 2317).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, Record};

use super::name;
use crate::config::ReverseDnsConfig;

/// What DNS says about an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Its name; of several the first one by their bytes.
    Name {
        name: Arc<str>,
        /// How long DNS says that it holds.
        ttl: Duration,
    },
    /// It has none.
    NoName,
    /// It has none but such as are not taken.
    Unfit,
    /// The servers could not say.
    Failed,
    /// They did not say anything.
    Timeout,
}

/// Asks the servers of a configuration.
pub(super) struct Client {
    resolver: TokioResolver,
    timeout: Duration,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(settings: &ReverseDnsConfig) -> Result<Self, String> {
        let wrong = |error: NetError| {
            format!(
                "the system's DNS servers cannot be read ({error}); name servers under lookups.reverse_dns.resolvers, \
                 such as [\"10.0.0.53:53\"]"
            )
        };
        let mut builder = if settings.resolvers.is_empty() {
            TokioResolver::builder_tokio().map_err(wrong)?
        } else {
            let servers = settings.resolvers.iter().copied().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.timeout = settings.timeout;
        // A question without an answer is repeated over UDP within that time.
        options.attempts = 0;
        // There is a cache of our own, and what a file of this machine says is no answer of DNS.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.max_active_requests = settings.concurrency;
        let resolver = builder.build().map_err(wrong)?;
        Ok(Self { resolver, timeout: settings.timeout })
    }

    pub(super) async fn name_of(&self, address: IpAddr) -> Found {
        let question = Name::from(address);
        match tokio::time::timeout(self.timeout, self.resolver.reverse_lookup(question.clone())).await {
            Err(_) | Ok(Err(NetError::Timeout)) => Found::Timeout,
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(_)))) => Found::NoName,
            Ok(Err(_)) => Found::Failed,
            Ok(Ok(answer)) => read(&question, answer.answers()),
        }
    }
}

/// What the records say of the question. A record about another name than the one that was asked for, or that CNAMEs lead to from
/// there, says nothing.
fn read(question: &Name, records: &[Record]) -> Found {
    let mut asked = vec![question];
    for record in records {
        if let RData::CNAME(target) = &record.data
            && asked.contains(&&record.name)
        {
            asked.push(&target.0);
        }
    }
    let mut found = Found::NoName;
    for record in records.iter().filter(|record| asked.contains(&&record.name)) {
        let RData::PTR(pointer) = &record.data else { continue };
        found = match (found, name::of_labels(pointer.0.iter())) {
            (Found::Name { name, ttl }, Some(other)) => {
                Found::Name { name: name.min(other), ttl: ttl.min(ttl_of(record)) }
            }
            (_, Some(name)) => Found::Name { name, ttl: ttl_of(record) },
            (Found::NoName, None) => Found::Unfit,
            (found, None) => found,
        };
    }
    found
}

fn ttl_of(record: &Record) -> Duration {
    Duration::from_secs(record.ttl.into())
}

fn server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    server.connections.iter_mut().for_each(|connection| connection.port = address.port());
    server
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::rdata::{CNAME, PTR};

    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn pointer(owner: &str, target: &str, ttl: u32) -> Record {
        Record::from_rdata(name(owner), ttl, RData::PTR(PTR(name(target))))
    }

    fn found(name: &str, seconds: u64) -> Found {
        Found::Name { name: name.into(), ttl: Duration::from_secs(seconds) }
    }

    const ASKED: &str = "7.2.0.192.in-addr.arpa.";

    #[test]
    fn of_several_names_the_first_by_bytes_counts_and_the_shortest_time() {
        let records =
            [pointer(ASKED, "b.example.", 60), pointer(ASKED, "A.example.", 300), pointer(ASKED, "c.example.", 30)];
        assert_eq!(read(&name(ASKED), &records), found("a.example", 30));
        let blank = Name::from_labels([b"a b".as_slice(), b"example"]).unwrap();
        let blank = Record::from_rdata(name(ASKED), 60, RData::PTR(PTR(blank)));
        let records = [blank, pointer(ASKED, "b.example.", 60)];
        assert_eq!(read(&name(ASKED), &records), found("b.example", 60));
        assert_eq!(read(&name(ASKED), &records[..1]), Found::Unfit);
    }

    #[test]
    fn records_about_other_names_say_nothing() {
        assert_eq!(read(&name(ASKED), &[pointer("8.2.0.192.in-addr.arpa.", "evil.example.", 60)]), Found::NoName);
        assert_eq!(read(&name(ASKED), &[]), Found::NoName);
    }

    #[test]
    fn delegation_by_cname_is_followed() {
        let target = name("7.0-25.2.0.192.in-addr.arpa.");
        let cname = Record::from_rdata(name(ASKED), 60, RData::CNAME(CNAME(target.clone())));
        let records = [cname, pointer(&target.to_ascii(), "a.example.", 60)];
        assert_eq!(read(&name(ASKED), &records), found("a.example", 60));
    }
}
