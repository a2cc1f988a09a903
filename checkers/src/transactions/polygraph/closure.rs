//! Which states lead to which: a bit for each two.

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Closure {
    words: usize,
    bits: Vec<u64>,
}

impl Closure {
    /// Of so many states.
    pub(super) fn new(states: usize) -> Self {
        let words = states.div_ceil(64);
        Self { words, bits: vec![0; states * words] }
    }

    /// Begins the row of `state` anew: it leads to itself.
    pub(super) fn begin(&mut self, state: u32) {
        let row = state as usize * self.words;
        self.bits[row..row + self.words].fill(0);
        self.bits[row + state as usize / 64] |= 1 << (state % 64);
    }

    /// `from` leads to all that `to` leads to, whose row is done. Returns the words that this took.
    pub(super) fn add(&mut self, from: u32, to: u32) -> u64 {
        if self.leads(from, to) {
            return 1;
        }
        let (from, to) = (from as usize * self.words, to as usize * self.words);
        let words = self.words;
        let (mine, its) = match from < to {
            true => {
                let (low, high) = self.bits.split_at_mut(to);
                (&mut low[from..from + words], &high[..words])
            }
            false => {
                let (low, high) = self.bits.split_at_mut(from);
                (&mut high[..words], &low[to..to + words])
            }
        };
        mine.iter_mut().zip(its).for_each(|(mine, its)| *mine |= its);
        words as u64
    }

    /// Whether there is a way, of no edge or more.
    #[inline]
    pub(super) fn leads(&self, from: u32, to: u32) -> bool {
        self.bits[from as usize * self.words + to as usize / 64] & (1 << (to % 64)) != 0
    }
}
