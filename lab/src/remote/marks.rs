//! Finds the guard's marks in what comes from a machine.

/// Frames a mark: the control character "record separator".
const FRAME: u8 = 0x1e;

/// The longest word of a mark, in bytes: what is longer is not one of ours.
const WORD_MAX: usize = 32;

/// How much of what was said before the first mark is kept, in bytes.
const GREETING_MAX: usize = 4096;

/// One of the two outputs of a guarded command, as it comes.
#[derive(Debug)]
pub(crate) struct Marked {
    /// What every mark begins with.
    opening: Vec<u8>,
    /// What may be the beginning of a mark.
    held: Vec<u8>,
    begun: bool,
    end: Option<String>,
    /// What was said before the command began: a login shell's greeting, or why there is none.
    greeting: Vec<u8>,
}

impl Marked {
    pub(crate) fn new(mark: &str) -> Self {
        let mut opening = vec![FRAME];
        opening.extend_from_slice(mark.as_bytes());
        opening.push(b' ');
        Self { opening, held: Vec::new(), begun: false, end: None, greeting: Vec::new() }
    }

    /// How the command ended, in the guard's words, once it has.
    pub(crate) fn end(&self) -> Option<&str> {
        self.end.as_deref()
    }

    /// Whether the command began.
    pub(crate) fn begun(&self) -> bool {
        self.begun
    }

    /// What was said before the command began, cut short.
    pub(crate) fn greeting(&self) -> String {
        String::from_utf8_lossy(&self.greeting).trim().to_owned()
    }

    /// Takes what came; hands on what the command said.
    pub(crate) fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8])) {
        self.held.extend_from_slice(bytes);
        while self.end.is_none() {
            let Some(at) = self.held.iter().position(|byte| *byte == FRAME) else {
                return self.hand_on(self.held.len(), sink);
            };
            self.hand_on(at, sink);
            let known = self.held.len().min(self.opening.len());
            if self.held[..known] != self.opening[..known] {
                self.hand_on(1, sink);
                continue;
            }
            let word = &self.held[known..];
            match word.iter().take(WORD_MAX).position(|byte| *byte == FRAME) {
                None if word.len() < WORD_MAX => return,
                None => self.hand_on(1, sink),
                Some(length) => {
                    let said = String::from_utf8_lossy(&word[..length]).into_owned();
                    self.held.drain(..=known + length);
                    match self.begun {
                        true => self.end = Some(said),
                        false => self.begun = true,
                    }
                }
            }
        }
        // A child in the background goes on; it is not the command.
        self.held.clear();
    }

    fn hand_on(&mut self, length: usize, sink: &mut dyn FnMut(&[u8])) {
        let said = &self.held[..length];
        if self.begun && !said.is_empty() {
            sink(said);
        } else if !self.begun {
            let room = GREETING_MAX - self.greeting.len();
            self.greeting.extend_from_slice(&said[..length.min(room)]);
        }
        self.held.drain(..length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is handed on of `said`, which comes in pieces of `size` bytes; the end; the greeting.
    fn read(said: &[u8], size: usize) -> (Vec<u8>, Option<String>, String) {
        let mut marked = Marked::new("m1");
        let mut heard = Vec::new();
        for piece in said.chunks(size) {
            marked.push(piece, &mut |bytes| heard.extend_from_slice(bytes));
        }
        (heard, marked.end().map(str::to_owned), marked.greeting())
    }

    #[test]
    fn marks_are_found_wherever_a_piece_ends() {
        let said = b"Hello!\n\x1em1 begin\x1ea\x1e\x1em2 b\x1em1 status 7\x1elater";
        for size in 1..said.len() {
            let (heard, end, greeting) = read(said, size);
            assert_eq!(heard, b"a\x1e\x1em2 b", "in pieces of {size}");
            assert_eq!(end.as_deref(), Some("status 7"));
            assert_eq!(greeting, "Hello!");
        }
    }

    #[test]
    fn what_has_no_end_is_handed_on_but_for_what_may_be_a_mark() {
        let (heard, end, _) = read(b"\x1em1 begin\x1eabc\x1em1 sta", 3);
        assert_eq!((heard.as_slice(), end), (b"abc".as_slice(), None));
    }

    #[test]
    fn a_mark_of_endless_length_is_none() {
        let mut said = b"\x1em1 begin\x1e\x1em1 ".to_vec();
        said.extend([b'x'; 100]);
        let (heard, end, _) = read(&said, 7);
        assert_eq!((heard.len(), end), (104, None));
    }
}
