//! Several generators at random.

use perjury_history::Event;
use rand_pcg::Pcg64;

use super::random::weighted;
use super::{Context, Generator, Next};

/// A random one of several generators for each operation, by weight. A weight that is not positive
/// means never.
///
/// The chosen one is waited for: were another asked instead whenever it has nothing at the moment,
/// slow generators would get less than their share. One that is done, or can never give anything
/// more (rule 5), is left out from then on.
pub fn mix(rng: Pcg64, generators: impl IntoIterator<Item = (f64, Box<dyn Generator>)>) -> Mix {
    let possible = generators.into_iter().filter(|(weight, _)| *weight > 0.0);
    let (weights, generators) = possible.unzip();
    Mix { rng, weights, generators, chosen: None }
}

/// See [`mix`].
pub struct Mix {
    rng: Pcg64,
    weights: Vec<f64>,
    generators: Vec<Box<dyn Generator>>,
    chosen: Option<usize>,
}

impl Generator for Mix {
    fn next(&mut self, context: &Context<'_>) -> Next {
        loop {
            let choice = self.chosen.or_else(|| weighted(&mut self.rng, &self.weights));
            let Some(index) = choice else { return Next::Done };
            self.chosen = Some(index);
            match self.generators[index].next(context).settled(context) {
                Next::Done => {
                    self.generators.remove(index);
                    self.weights.remove(index);
                    self.chosen = None;
                }
                next @ Next::Invoke(_) => {
                    self.chosen = None;
                    return next;
                }
                wait @ Next::Wait { .. } => return wait,
            }
        }
    }

    fn observe(&mut self, event: &Event) {
        for generator in &mut self.generators {
            generator.observe(event);
        }
    }
}
