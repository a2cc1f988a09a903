//! Reads whole numbers and single bytes from lines of text, quickly: files of twenty million short
//! lines are read with it.

/// A place in a text.
#[derive(Clone, Debug)]
pub(super) struct Numbers<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The beginning of the next line that is not empty.
    #[inline]
    pub(super) fn line(&mut self) -> Option<usize> {
        while let Some(b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
        (self.at < self.bytes.len()).then_some(self.at)
    }

    /// The next byte, whatever it is.
    #[inline]
    pub(super) fn any(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// Passes over one byte, if it is this one.
    #[inline]
    pub(super) fn skip(&mut self, byte: u8) -> Option<()> {
        (self.any()? == byte).then_some(())
    }

    /// Passes over a number of 64 bits: digits, perhaps with a minus before them.
    #[inline]
    pub(super) fn number(&mut self) -> Option<i64> {
        let negative = self.bytes.get(self.at) == Some(&b'-');
        self.at += usize::from(negative);
        let first = self.at;
        let mut number = 0_i64;
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.at) {
            // Counted down, for there is one more number below zero than above.
            number = number.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))?;
            self.at += 1;
        }
        if self.at == first {
            return None;
        }
        if negative { Some(number) } else { number.checked_neg() }
    }

    /// Passes over the end of a line, or stands at the end of the text.
    #[inline]
    pub(super) fn end(&mut self) -> Option<()> {
        if self.bytes.get(self.at) == Some(&b'\r') {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            None => Some(()),
            Some(b'\n') => {
                self.at += 1;
                Some(())
            }
            Some(_) => None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.at >= self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_and_of_64_bits() {
        let number = |text: &str| {
            let mut numbers = Numbers::new(text.as_bytes(), 0);
            numbers.number().filter(|_| numbers.is_over())
        };
        for it in [0, 7, -1, i64::MAX, i64::MIN] {
            assert_eq!(number(&it.to_string()), Some(it));
        }
        for text in ["", "-", "+1", "1.0", "9223372036854775808", "-9223372036854775809", "x"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
