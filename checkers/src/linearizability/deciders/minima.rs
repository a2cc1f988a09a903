//! A row of numbers in which whole ranges are changed at once, and small numbers are found.

use std::ops::Range;

/// A segment tree. Changing a range takes O(log n), finding `k` small numbers O(k log n).
#[derive(Debug)]
pub(super) struct Minima {
    leaves: usize,
    /// The least number below each node, without what is added above it.
    least: Vec<i64>,
    /// What is added to all below each node.
    added: Vec<i64>,
}

impl Minima {
    pub(super) fn of(numbers: impl ExactSizeIterator<Item = i64>) -> Self {
        let leaves = numbers.len().next_power_of_two();
        let mut least = vec![i64::MAX / 2; 2 * leaves];
        for (place, number) in numbers.enumerate() {
            least[leaves + place] = number;
        }
        for node in (1..leaves).rev() {
            least[node] = least[2 * node].min(least[2 * node + 1]);
        }
        Self { leaves, added: vec![0; 2 * leaves], least }
    }

    /// Adds to every number of a range.
    pub(super) fn add(&mut self, range: Range<usize>, number: i64) {
        let (mut low, mut high) = (range.start + self.leaves, range.end + self.leaves);
        let ends = [low, high - 1];
        if range.is_empty() {
            return;
        }
        while low < high {
            if low % 2 == 1 {
                self.least[low] += number;
                self.added[low] += number;
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                self.least[high] += number;
                self.added[high] += number;
            }
            low /= 2;
            high /= 2;
        }
        for mut node in ends {
            while node > 1 {
                node /= 2;
                let below = self.least[2 * node].min(self.least[2 * node + 1]);
                self.least[node] = below + self.added[node];
            }
        }
    }

    /// The first place of a range whose number is less than `bound`.
    pub(super) fn first_below(&self, range: Range<usize>, bound: i64) -> Option<usize> {
        // Nodes with the places below them and what is added above them, the leftmost last.
        let mut nodes = vec![(1, 0..self.leaves, 0)];
        while let Some((node, places, above)) = nodes.pop() {
            let is_outside = places.end <= range.start || range.end <= places.start;
            if is_outside || self.least[node] + above >= bound {
                continue;
            }
            if node >= self.leaves {
                return Some(places.start);
            }
            let middle = places.start + places.len() / 2;
            let above = above + self.added[node];
            nodes.push((2 * node + 1, middle..places.end, above));
            nodes.push((2 * node, places.start..middle, above));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;
    use rand_pcg::Pcg64Mcg;

    use super::*;

    #[test]
    fn does_what_a_row_of_numbers_does() {
        for seed in 0..200 {
            let mut random = Pcg64Mcg::new(seed);
            let length = random.random_range(1..40);
            let mut row: Vec<i64> = (0..length).map(|_| random.random_range(-5..5)).collect();
            let mut minima = Minima::of(row.clone().into_iter());
            for _ in 0..100 {
                let mut ends = [0, 0].map(|_: i32| random.random_range(0..=length));
                ends.sort_unstable();
                let range = ends[0]..ends[1];
                let number = random.random_range(-5..5);
                let expected = range.clone().find(|place| row[*place] < number);
                assert_eq!(minima.first_below(range.clone(), number), expected, "seed {seed}");
                minima.add(range.clone(), number);
                row[range].iter_mut().for_each(|it| *it += number);
            }
        }
    }
}
