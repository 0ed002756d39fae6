//! Whom to ask for names, and how long to wait.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Resolver, count};
use crate::config::place::Place;
use crate::config::raw::RawReverseDns;
use crate::config::units::duration_text;
use crate::config::{AddressRange, ReverseDnsConfig};

const DNS_PORT: u16 = 53;

impl Resolver<'_> {
    pub(super) fn reverse_dns(&mut self, raw: &RawReverseDns, place: Place<'_>) -> Option<ReverseDnsConfig> {
        let (second, day) = (Duration::from_secs(1), Duration::from_secs(24 * 3600));
        let resolvers: Vec<_> = places(place, "resolvers", &raw.resolvers)
            .map(|(text, place)| {
                let message = format!(
                    "{} is no address of a DNS server; write IP or IP:PORT, such as 10.0.0.53:53",
                    place.quoted()
                );
                server(text).or_else(|| self.wrong(place, message))
            })
            .collect();
        let private_ranges: Vec<_> = places(place, "private_ranges", &raw.private_ranges)
            .map(|(text, place)| {
                let message =
                    format!("{} is no range of addresses; write ADDRESS/BITS, such as 10.0.0.0/8", place.quoted());
                text.parse::<AddressRange>().ok().or_else(|| self.wrong(place, message))
            })
            .collect();
        let deadline = self.duration(&raw.deadline, place.child("deadline"), Duration::ZERO, 10 * second);
        let timeout = self.duration(&raw.timeout, place.child("timeout"), second / 100, 60 * second);
        let ttl_min = self.duration(&raw.ttl_min, place.child("ttl_min"), Duration::ZERO, day);
        let ttl_max = self.duration(&raw.ttl_max, place.child("ttl_max"), Duration::ZERO, 30 * day);
        let negative_ttl = self.duration(&raw.negative_ttl, place.child("negative_ttl"), second, day);
        let (ttl_min, ttl_max) = (ttl_min?, ttl_max?);
        if ttl_min > ttl_max {
            let (least, most) = (duration_text(ttl_min), duration_text(ttl_max));
            return self.wrong(place, format!("\"ttl_max\" ({most}) must not be shorter than \"ttl_min\" ({least})"));
        }
        Some(ReverseDnsConfig {
            resolvers: resolvers.into_iter().collect::<Option<_>>()?,
            deadline: deadline?,
            timeout: timeout?,
            concurrency: count(raw.concurrency),
            cache_entries: raw.cache_entries,
            ttl_min,
            ttl_max,
            negative_ttl: negative_ttl?,
            private: raw.private,
            private_ranges: private_ranges.into_iter().collect::<Option<_>>()?,
            fake: raw.fake,
        })
    }
}

/// The texts of a list with their places.
fn places<'p>(place: Place<'p>, key: &str, texts: &'p [String]) -> impl Iterator<Item = (&'p str, Place<'p>)> {
    let list = place.child(key);
    texts.iter().enumerate().map(move |(index, text)| (text.as_str(), list.item(index)))
}

fn server(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, DNS_PORT)))
}
