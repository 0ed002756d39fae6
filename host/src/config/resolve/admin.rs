//! Where the HTTP pages are, and who may look at events there.

use std::net::SocketAddr;

use super::{Resolver, count};
use crate::config::place::Place;
use crate::config::raw::{RawAdmin, RawTap, RawTapSettings};
use crate::config::{ADMIN_DEFAULT, AdminConfig, TapConfig};
use crate::tap::SecretField;

impl Resolver<'_> {
    pub(super) fn admin(&mut self, raw: Option<&RawAdmin>, place: Place<'_>) -> Option<Option<AdminConfig>> {
        let (text, at, tap) = match raw {
            None => (ADMIN_DEFAULT, place, None),
            Some(RawAdmin::Switch(false)) => return Some(None),
            Some(RawAdmin::Switch(true)) => {
                return self
                    .wrong(place, format!("\"admin\" is an address such as {ADMIN_DEFAULT}, or false for none"));
            }
            Some(RawAdmin::Address(text)) => (text.as_str(), place, None),
            Some(RawAdmin::Pages(pages)) => {
                (pages.address.as_deref().unwrap_or(ADMIN_DEFAULT), place.child("address"), pages.tap.as_ref())
            }
        };
        let address = self.address(text, at)?;
        let tap = self.tap(tap, address.ip().is_loopback(), place.child("tap"))?;
        Some(Some(AdminConfig { address, tap }))
    }

    fn tap(&mut self, raw: Option<&RawTap>, is_local: bool, place: Place<'_>) -> Option<Option<TapConfig>> {
        let by_default = RawTapSettings::default();
        let settings = match raw {
            // What events hold is shown to this machine alone, unless somebody says otherwise.
            None if !is_local => return Some(None),
            Some(RawTap::Switch(false)) => return Some(None),
            None | Some(RawTap::Switch(true)) => &by_default,
            Some(RawTap::Settings(settings)) => settings,
        };
        let names = settings.redact.iter().enumerate();
        let redact: Vec<Option<SecretField>> = names
            .map(|(index, name)| {
                let place = place.child("redact").item(index);
                let message =
                    format!("{} is no field; write a name such as email, or a path such as user.email", place.quoted());
                name.parse().ok().or_else(|| self.wrong(place, message))
            })
            .collect();
        let redact = redact.into_iter().collect::<Option<_>>()?;
        Some(Some(TapConfig { is_local, redact, connections_max: count(settings.connections_max) }))
    }

    fn address(&mut self, text: &str, place: Place<'_>) -> Option<SocketAddr> {
        let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        let parsed = numeric.as_deref().unwrap_or(text).parse().ok();
        parsed.or_else(|| {
            let quoted = place.quoted();
            self.wrong(
                place,
                format!("{quoted} is no address; write IP:PORT such as {ADMIN_DEFAULT}, or false for none"),
            )
        })
    }
}
