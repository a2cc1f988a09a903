//! Who led when: overlaps and failovers, from the leaderships that the analysis found.

use perjury_checkers::{Analysis, Judgement, Leadership, Model};

use crate::format;

/// Two nodes that accepted writes at the same time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overlap<'a> {
    /// The one that began first.
    pub(crate) earlier: &'a Leadership,
    pub(crate) later: &'a Leadership,
    pub(crate) begin_ns: u64,
    pub(crate) end_ns: u64,
}

impl Overlap<'_> {
    pub(crate) fn duration_ns(&self) -> u64 {
        self.end_ns - self.begin_ns
    }
}

/// One node taking over from another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failover<'a> {
    pub(crate) from: &'a Leadership,
    pub(crate) to: &'a Leadership,
}

impl Failover<'_> {
    /// `n3 took over in epoch 2 at 14.203 s, 1.8 s after the last write that n1 acknowledged.`
    pub(crate) fn sentence(&self) -> String {
        let (from, to) = (self.from, self.to);
        let began = format!(
            "{} took over in epoch {} at {}",
            to.node,
            to.epoch,
            format::moment(to.first_ns)
        );
        match to.first_ns.checked_sub(from.last_ns) {
            Some(gap_ns) => format!(
                "{began}, {} after the last write that {} acknowledged.",
                format::duration(gap_ns),
                from.node
            ),
            None => format!(
                "{began}, and {} went on acknowledging writes for {}.",
                from.node,
                format::duration(from.last_ns - to.first_ns)
            ),
        }
    }
}

/// The leaderships by when they began.
pub(crate) fn in_order(analysis: &Analysis) -> Vec<&Leadership> {
    let mut order: Vec<_> = analysis.leaderships.iter().collect();
    order.sort_by_key(|it| (it.first_ns, it.epoch, it.node));
    order
}

/// Pairs of nodes that accepted writes at once. Where a checker has found that there was never more
/// than one leader, mere overlap in time (of writes still under way) is no news and none are given.
pub(crate) fn overlaps<'a>(analysis: &Analysis, order: &[&'a Leadership]) -> Vec<Overlap<'a>> {
    if analysis.model(Model::SingleLeader) == Some(Judgement::Valid) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut active: Vec<&Leadership> = Vec::new();
    for &later in order {
        active.retain(|it| it.last_ns > later.first_ns);
        let others = active.iter().filter(|earlier| earlier.node != later.node);
        found.extend(others.map(|&earlier| Overlap {
            earlier,
            later,
            begin_ns: later.first_ns,
            // A deposed leader is one to its last write, even if its successor has fallen silent.
            end_ns: match later.epoch > earlier.epoch {
                true => earlier.last_ns,
                false => earlier.last_ns.min(later.last_ns),
            },
        }));
        active.push(later);
    }
    found.retain(|overlap| overlap.duration_ns() > 0);
    found
}

/// The changes of leader: each node that began in a later epoch than all before it.
pub(crate) fn failovers<'a>(order: &[&'a Leadership]) -> Vec<Failover<'a>> {
    let mut found = Vec::new();
    let mut current: Option<&Leadership> = None;
    for &to in order {
        match current {
            Some(from) if to.epoch > from.epoch => {
                if to.node != from.node {
                    found.push(Failover { from, to });
                }
                current = Some(to);
            }
            Some(_) => {}
            None => current = Some(to),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use perjury_history::{NodeId, OperationId};

    use super::*;

    fn leadership(node: u32, epoch: u64, first_s: u64, last_s: u64) -> Leadership {
        Leadership {
            node: NodeId(node),
            epoch,
            first_ns: first_s * 1_000_000_000,
            last_ns: last_s * 1_000_000_000,
            first: OperationId(0),
            last: OperationId(0),
            writes: 1,
        }
    }

    fn analysis(leaderships: Vec<Leadership>) -> Analysis {
        Analysis { leaderships, ..Analysis::default() }
    }

    #[test]
    fn a_clean_failover_has_a_gap_and_no_overlap() {
        let analysis = analysis(vec![leadership(2, 2, 14, 30), leadership(0, 1, 0, 12)]);
        let order = in_order(&analysis);
        assert!(overlaps(&analysis, &order).is_empty());
        let sentences: Vec<_> = failovers(&order).iter().map(Failover::sentence).collect();
        assert_eq!(
            sentences,
            ["n3 took over in epoch 2 at 14.000 s, 2 s after the last write that n1 acknowledged."]
        );
    }

    #[test]
    fn two_leaders_overlap() {
        let analysis = analysis(vec![leadership(0, 1, 0, 18), leadership(2, 2, 14, 30)]);
        let order = in_order(&analysis);
        let found = overlaps(&analysis, &order);
        assert_eq!(found.iter().map(Overlap::duration_ns).collect::<Vec<_>>(), [4_000_000_000]);
        assert_eq!(
            failovers(&order)[0].sentence(),
            "n3 took over in epoch 2 at 14.000 s, and n1 went on acknowledging writes for 4 s."
        );
    }

    #[test]
    fn an_old_leader_that_comes_back_takes_nothing_over() {
        let analysis = analysis(vec![
            leadership(0, 1, 0, 5),
            leadership(1, 2, 6, 9),
            leadership(0, 1, 10, 11),
        ]);
        assert_eq!(failovers(&in_order(&analysis)).len(), 1);
    }
}
