//! When faults happen.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_pcg::Pcg64;

use crate::FaultSpec;

/// How faults follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// One after the other in the order given, one at a time, at even distances.
    Interval,
    /// Random ones at random distances, often several at once.
    Mix,
}

/// One fault of a fixed script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedFault {
    /// When it begins, in nanoseconds since the load's start.
    pub at_ns: u64,
    /// How long it lasts, in nanoseconds.
    pub lasts_ns: u64,
    /// What it is.
    pub fault: FaultSpec,
}

/// Which faults happen when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Just these.
    Script(Vec<ScriptedFault>),
    /// An endless supply.
    Paced {
        /// How they follow each other.
        pace: Pace,
        /// What they are.
        faults: Vec<FaultSpec>,
        /// Between the beginnings of two faults (on average, for a mix), in nanoseconds.
        interval_ns: u64,
        /// How long each lasts (on average, for a mix), in nanoseconds.
        duration_ns: u64,
    },
}

/// A fault's beginning or end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The fault with this number begins.
    Begin(u32, FaultSpec),
    /// It ends.
    End(u32),
}

impl Schedule {
    /// No faults.
    pub fn nothing() -> Self {
        Schedule::Script(Vec::new())
    }

    /// The faults that it may bring.
    pub fn faults(&self) -> Vec<&FaultSpec> {
        match self {
            Schedule::Script(script) => script.iter().map(|scripted| &scripted.fault).collect(),
            Schedule::Paced { faults, .. } => faults.iter().collect(),
        }
    }

    /// Everything that is to happen before `end_ns`, in order. Faults that would last longer have
    /// no end here: healing everything is what follows.
    pub fn moments(&self, end_ns: u64, rng: &mut Pcg64) -> Vec<(u64, Moment)> {
        let mut moments = Vec::new();
        for (number, scripted) in (0..).zip(self.script(end_ns, rng)) {
            let ends_ns = scripted.at_ns.saturating_add(scripted.lasts_ns);
            moments.push((scripted.at_ns, Moment::Begin(number, scripted.fault)));
            if ends_ns < end_ns {
                moments.push((ends_ns, Moment::End(number)));
            }
        }
        moments.sort_by_key(|&(at_ns, _)| at_ns);
        moments
    }

    fn script(&self, end_ns: u64, rng: &mut Pcg64) -> Vec<ScriptedFault> {
        match self {
            Schedule::Script(script) => {
                script.iter().filter(|scripted| scripted.at_ns < end_ns).cloned().collect()
            }
            Schedule::Paced { faults, interval_ns, .. }
                if faults.is_empty() || *interval_ns == 0 =>
            {
                Vec::new()
            }
            Schedule::Paced { pace, faults, interval_ns, duration_ns } => {
                let mut script = Vec::new();
                // Half an interval of peace first: what is normal must be seen, too.
                let mut at_ns = interval_ns / 2;
                let around = |mean: u64, rng: &mut Pcg64| {
                    rng.random_range(mean / 2..=mean.saturating_add(mean / 2))
                };
                while at_ns < end_ns {
                    let (fault, lasts_ns, pause_ns) = match pace {
                        Pace::Interval => {
                            let next = &faults[script.len() % faults.len()];
                            (next, *duration_ns, *interval_ns)
                        }
                        Pace::Mix => {
                            let next = faults.choose(rng).expect("there are some");
                            (next, around(*duration_ns, rng), around(*interval_ns, rng).max(1))
                        }
                    };
                    script.push(ScriptedFault { at_ns, lasts_ns, fault: fault.clone() });
                    at_ns = at_ns.saturating_add(pause_ns);
                }
                script
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn paced(pace: Pace) -> Schedule {
        let faults = ["kill", "pause"].map(|text| text.parse().expect("a good spec")).into();
        Schedule::Paced { pace, faults, interval_ns: 10 * SECOND, duration_ns: 4 * SECOND }
    }

    #[test]
    fn an_interval_takes_turns() {
        let moments = paced(Pace::Interval).moments(30 * SECOND, &mut Pcg64::new(1, 1));
        let shown: Vec<_> = moments
            .iter()
            .map(|(at_ns, moment)| match moment {
                Moment::Begin(number, spec) => format!("{} {number} {spec}", at_ns / SECOND),
                Moment::End(number) => format!("{} {number} end", at_ns / SECOND),
            })
            .collect();
        assert_eq!(
            shown,
            ["5 0 kill", "9 0 end", "15 1 pause", "19 1 end", "25 2 kill", "29 2 end"]
        );
    }

    #[test]
    fn a_mix_keeps_about_its_pace_and_depends_on_the_seed_alone() {
        let moments = |seed| paced(Pace::Mix).moments(1_000 * SECOND, &mut Pcg64::new(seed, 1));
        assert_eq!(moments(1), moments(1));
        assert_ne!(moments(1), moments(2));
        let begins = moments(3).iter().filter(|(_, it)| matches!(it, Moment::Begin(..))).count();
        assert!((85..115).contains(&begins), "{begins}");
    }

    #[test]
    fn faults_longer_than_any_run_do_not_overflow() {
        for pace in [Pace::Interval, Pace::Mix] {
            let faults = vec!["kill".parse().expect("a good spec")];
            let (interval_ns, duration_ns) = (u64::MAX, u64::MAX);
            let endless = Schedule::Paced { pace, faults, interval_ns, duration_ns };
            assert!(endless.moments(u64::MAX, &mut Pcg64::new(1, 1)).len() <= 2);
        }
    }

    #[test]
    fn what_outlasts_the_run_is_left_to_the_healing() {
        let script = vec![ScriptedFault {
            at_ns: SECOND,
            lasts_ns: 100 * SECOND,
            fault: "kill".parse().expect("a good spec"),
        }];
        let moments = Schedule::Script(script).moments(10 * SECOND, &mut Pcg64::new(1, 1));
        assert_eq!(moments.len(), 1);
    }
}
