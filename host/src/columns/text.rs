//! UUIDs, IP addresses and lengths in text.

use std::net::IpAddr;

use super::Inet;

/// A UUID with its four hyphens or with none; `None` for anything else.
pub(super) fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    const PLAIN: [usize; 16] = [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30];
    const HYPHENATED: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let places = match text.len() {
        32 => &PLAIN,
        36 if HYPHENS.iter().all(|&at| text[at] == b'-') => &HYPHENATED,
        _ => return None,
    };
    let mut uuid = [0; 16];
    let mut seen = 0;
    for (byte, &at) in uuid.iter_mut().zip(places) {
        let (high, low) = (HEX[usize::from(text[at])], HEX[usize::from(text[at + 1])]);
        *byte = high << 4 | low;
        seen |= high | low;
    }
    (seen <= 0xf).then_some(uuid)
}

/// The value of each hexadecimal digit; 0xff for any other byte.
const HEX: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut n = 0;
    while n < 16 {
        values[b"0123456789abcdef"[n] as usize] = n as u8;
        values[b"0123456789ABCDEF"[n] as usize] = n as u8;
        n += 1;
    }
    values
};

/// An IPv4 or IPv6 address, with `/prefix` or without; `None` for anything else.
pub(super) fn inet(text: &[u8]) -> Option<Inet> {
    let text = std::str::from_utf8(text).ok()?;
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => bits,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok().filter(|prefix| *prefix <= bits)?
        }
        Some(_) => return None,
    };
    Some(Inet { address, prefix })
}

/// Whether UTF-8 `text` has more than `limit` characters.
pub(super) fn is_longer(text: &[u8], limit: u32) -> bool {
    let limit = limit as usize;
    // A character has at least one byte; all but its first are continuation bytes.
    text.len() > limit && text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count() > limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_is_read_with_and_without_hyphens_in_either_case() {
        let uuid_of = |text: &str| uuid(text.as_bytes());
        let expected = Some([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 1, 2, 3, 4, 5, 6, 0xff]);
        assert_eq!(uuid_of("01234567-89ab-cdef-0001-0203040506ff"), expected);
        assert_eq!(uuid_of("0123456789ABCDEF00010203040506FF"), expected);
        for text in ["", "01234567-89ab-cdef-0001-0203040506f", "0123456789abcdef00010203040506fg"] {
            assert_eq!(uuid_of(text), None, "{text}");
        }
        assert_eq!(uuid_of("0123456-789ab-cdef-0001-0203040506ff"), None);
        assert_eq!(uuid_of("01234567x89ab-cdef-0001-0203040506ff"), None);
    }

    #[test]
    fn inet_takes_a_prefix_up_to_the_width_of_its_family() {
        let prefix_of = |text: &str| inet(text.as_bytes()).map(|inet| inet.prefix);
        assert_eq!(prefix_of("10.0.0.1"), Some(32));
        assert_eq!(prefix_of("10.0.0.0/8"), Some(8));
        assert_eq!(prefix_of("10.0.0.0/32"), Some(32));
        assert_eq!(prefix_of("10.0.0.0/33"), None);
        assert_eq!(prefix_of("::1"), Some(128));
        assert_eq!(prefix_of("fe80::/128"), Some(128));
        assert_eq!(prefix_of("fe80::/129"), None);
        for text in ["", "10.0.0", "10.0.0.256", "10.0.0.1/", "10.0.0.1/+8", "fe80::1%eth0", "10.0.0.1/999"] {
            assert_eq!(prefix_of(text), None, "{text}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(!is_longer("äöü".as_bytes(), 3));
        assert!(is_longer("äöüx".as_bytes(), 3));
        assert!(!is_longer(b"", 0));
    }
}
