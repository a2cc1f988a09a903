//! Reads binary files front to back: numbers of eight bytes, bytes, texts. No length is believed.

use super::error::Problem;

#[derive(Clone, Debug)]
pub(super) struct Binary<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Binary<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn take<const N: usize>(&mut self, expected: &str) -> Result<[u8; N], Problem> {
        let found = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let found = found.ok_or_else(|| {
            let text = format!("expected {expected}, found the end of the file; was it cut?");
            Problem::new(self.bytes.len(), text)
        })?;
        self.at += N;
        Ok(*found)
    }

    pub(super) fn byte(&mut self, expected: &str) -> Result<u8, Problem> {
        self.take::<1>(expected).map(|[byte]| byte)
    }

    pub(super) fn flag(&mut self, expected: &str) -> Result<bool, Problem> {
        match self.byte(expected)? {
            0 => Ok(false),
            1 => Ok(true),
            other => {
                let text = format!("expected {expected}, a byte of 0 or 1, found {other}");
                Err(Problem::new(self.at - 1, text))
            }
        }
    }

    pub(super) fn little_endian(&mut self, expected: &str) -> Result<u64, Problem> {
        self.take(expected).map(u64::from_le_bytes)
    }

    pub(super) fn big_endian(&mut self, expected: &str) -> Result<u64, Problem> {
        self.take(expected).map(u64::from_be_bytes)
    }

    /// How many of something follow, each of which takes some bytes at least.
    pub(super) fn count(&mut self, of: &str, bytes_min: usize) -> Result<usize, Problem> {
        let at = self.at;
        let count = self.little_endian(of)?;
        let most = self.left() / bytes_min;
        usize::try_from(count).ok().filter(|count| *count <= most).ok_or_else(|| {
            let text = format!(
                "expected {of}, at most {most} in the {} bytes that are left, found {count}; is \
                 the file damaged?",
                self.left()
            );
            Problem::new(at, text)
        })
    }

    /// Passes over a text.
    pub(super) fn text(&mut self, expected: &str) -> Result<(), Problem> {
        let length = self.count(expected, 1)?;
        let text = &self.bytes[self.at..self.at + length];
        if std::str::from_utf8(text).is_err() {
            let text = format!("expected {expected} in UTF-8, found other bytes");
            return Err(Problem::new(self.at, text));
        }
        self.at += length;
        Ok(())
    }
}
