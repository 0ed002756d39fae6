//! Names made of addresses, for demonstrations and tests: the same everywhere, and nothing is sent.

use std::net::IpAddr;
use std::sync::Arc;

use super::name::{NAME_BYTES_MAX, is_host_name};

/// `host-7.local` for `192.0.2.7`, `host-1f.local` for `2001:db8::1f`.
pub(super) fn name_of_address(address: IpAddr) -> Arc<str> {
    let last = match address {
        IpAddr::V4(address) => address.octets()[3].to_string(),
        IpAddr::V6(address) => format!("{:x}", address.segments()[7]),
    };
    format!("host-{last}.local").into()
}

/// `host-web-1.local` for `eu.web-1`; `None` for what is no host's name.
pub(super) fn name_of_host(text: &str) -> Option<Arc<str>> {
    let last = text.rsplit('.').next()?;
    let name = format!("host-{}.local", last.to_ascii_lowercase());
    (is_host_name(text) && name.len() <= NAME_BYTES_MAX).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_the_last_part() {
        for (address, name) in [
            ("192.0.2.7", "host-7.local"),
            ("10.0.0.255", "host-255.local"),
            ("2001:db8::1F", "host-1f.local"),
            ("::", "host-0.local"),
        ] {
            assert_eq!(&*name_of_address(address.parse().unwrap()), name);
        }
        assert_eq!(name_of_host("eu.Web-1").as_deref(), Some("host-web-1.local"));
        for text in ["", ".", "a b", "a..b", "\u{e4}", &"a".repeat(254)] {
            assert_eq!(name_of_host(text), None, "{text}");
        }
    }
}
