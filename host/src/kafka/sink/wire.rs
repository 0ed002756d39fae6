//! The primitive types of the Kafka protocol: big-endian numbers, texts and arrays that begin with their length, and the zigzag
//! variable-length numbers of records (<https://kafka.apache.org/protocol#protocol_types>).

/// An answer that ends too early, or holds what cannot be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kafka::sink) struct Unreadable;

/// Appending.
pub(in crate::kafka::sink) trait Put {
    /// Bytes as they are.
    fn raw(&mut self, bytes: &[u8]);

    /// A number.
    fn i16(&mut self, number: i16) {
        self.raw(&number.to_be_bytes());
    }

    /// A number.
    fn i32(&mut self, number: i32) {
        self.raw(&number.to_be_bytes());
    }

    /// A number.
    fn i64(&mut self, number: i64) {
        self.raw(&number.to_be_bytes());
    }

    /// A length, or a count.
    fn length(&mut self, length: usize) {
        self.i32(i32::try_from(length).expect("requests are far below 2 GiB"));
    }

    /// A text of at most 32 767 bytes.
    fn text(&mut self, text: &str) {
        self.i16(i16::try_from(text.len()).expect("names are short"));
        self.raw(text.as_bytes());
    }

    /// Bytes after their length.
    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.raw(bytes);
    }

    /// A zigzag number of one to five bytes.
    #[inline]
    fn varint(&mut self, number: i32) {
        let (mut bytes, mut count) = ([0; 5], 0);
        let mut rest = zigzag(number);
        while rest >= 0x80 {
            bytes[count] = rest as u8 | 0x80;
            (rest, count) = (rest >> 7, count + 1);
        }
        bytes[count] = rest as u8;
        self.raw(&bytes[..=count]);
    }

    /// A part of a record after its length; null has one of its own.
    #[inline]
    fn part(&mut self, part: Option<&[u8]>) {
        self.varint(part_length(part));
        self.raw(part.unwrap_or_default());
    }
}

impl Put for Vec<u8> {
    #[inline]
    fn raw(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// The length of a record's part, as [`Put::part`] writes it.
#[inline]
pub(in crate::kafka::sink) fn part_length(part: Option<&[u8]>) -> i32 {
    part.map_or(-1, |part| i32::try_from(part.len()).expect("messages are far below 2 GiB"))
}

/// Bytes that [`Put::varint`] takes for `number`.
pub(in crate::kafka::sink) fn varint_bytes(number: i32) -> usize {
    let bits = 32 - (zigzag(number) | 1).leading_zeros();
    (bits as usize).div_ceil(7)
}

fn zigzag(number: i32) -> u32 {
    (number << 1 ^ number >> 31).cast_unsigned()
}

/// Reading an answer from its beginning.
#[derive(Clone, Copy, Debug)]
pub(in crate::kafka::sink) struct Answer<'a>(pub(super) &'a [u8]);

impl<'a> Answer<'a> {
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Unreadable)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(in crate::kafka::sink) fn bool(&mut self) -> Result<bool, Unreadable> {
        self.fixed().map(|[byte]| byte != 0)
    }

    pub(in crate::kafka::sink) fn i16(&mut self) -> Result<i16, Unreadable> {
        self.fixed().map(i16::from_be_bytes)
    }

    pub(in crate::kafka::sink) fn i32(&mut self) -> Result<i32, Unreadable> {
        self.fixed().map(i32::from_be_bytes)
    }

    pub(in crate::kafka::sink) fn i64(&mut self) -> Result<i64, Unreadable> {
        self.fixed().map(i64::from_be_bytes)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Unreadable> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A text; null is empty.
    pub(in crate::kafka::sink) fn text(&mut self) -> Result<String, Unreadable> {
        let length = self.i16()?;
        let bytes = self.take(usize::try_from(length).unwrap_or_default())?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// Bytes after their length; null is empty.
    pub(in crate::kafka::sink) fn bytes(&mut self) -> Result<&'a [u8], Unreadable> {
        let length = self.i32()?;
        self.take(usize::try_from(length).unwrap_or_default())
    }

    /// A zigzag number of one to five bytes.
    pub(in crate::kafka::sink) fn varint(&mut self) -> Result<i32, Unreadable> {
        let mut zigzag = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.fixed()?;
            zigzag |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed());
            }
        }
        Err(Unreadable)
    }

    /// What [`Put::part`] wrote.
    pub(in crate::kafka::sink) fn part(&mut self) -> Result<Option<&'a [u8]>, Unreadable> {
        usize::try_from(self.varint()?).ok().map(|length| self.take(length)).transpose()
    }

    /// An array, whose items are read by `item`; null is empty.
    pub(in crate::kafka::sink) fn array<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, Unreadable> {
        let count = self.i32()?;
        // Grown as items are found: a count proves nothing.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn varints_are_those_of_the_protocol() {
        let of = |number| {
            let mut bytes = Vec::new();
            bytes.varint(number);
            bytes
        };
        assert_eq!([of(0), of(-1), of(1), of(63), of(-64)], [[0].to_vec(), vec![1], vec![2], vec![126], vec![127]]);
        assert_eq!([of(64), of(300)], [vec![0x80, 1], vec![0xd8, 4]]);
        assert_eq!(of(i32::MIN), [0xff, 0xff, 0xff, 0xff, 0x0f]);
    }

    proptest! {
        #[test]
        fn a_varint_is_as_long_as_is_told(number in any::<i32>(), shift in 0..32) {
            let mut bytes = Vec::new();
            bytes.varint(number >> shift);
            prop_assert_eq!(bytes.len(), varint_bytes(number >> shift));
            prop_assert_eq!(Answer(&bytes).varint(), Ok(number >> shift));
        }

        #[test]
        fn any_answer_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut answer = Answer(&bytes);
            let _ = answer.array(|item| Ok((item.text()?, item.bytes()?, item.i64()?, item.bool()?)));
        }
    }
}
