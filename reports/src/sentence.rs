//! The verdict as a sentence.

use std::collections::{BTreeMap, BTreeSet};

use perjury_checkers::{Analysis, Anomaly, AnomalyKind, Judgement, Model, Phenomenon};

use crate::{format, leadership};

/// The kinds of anomaly, the most telling first.
const MOST_TELLING_FIRST: [AnomalyKind; 17] = [
    AnomalyKind::TwoLeaders,
    AnomalyKind::LostWrite,
    AnomalyKind::RepeatedToken,
    AnomalyKind::TokenOrder,
    AnomalyKind::TwoHolders,
    AnomalyKind::WrongTotal,
    AnomalyKind::WrongAccounts,
    AnomalyKind::NegativeBalance,
    AnomalyKind::UnexpectedValue,
    AnomalyKind::DuplicateElement,
    AnomalyKind::Divergence,
    AnomalyKind::Nonlinearizable,
    AnomalyKind::StaleRead,
    AnomalyKind::ReadYourWrites,
    AnomalyKind::MonotonicReads,
    AnomalyKind::MonotonicWrites,
    AnomalyKind::WritesFollowReads,
];

/// How many kinds the sentence tells; the rest it names.
const TOLD: usize = 3;

/// What a run showed, in a sentence for people: what went wrong in order of weight, or that nothing
/// did, or why that cannot be said. Also what the command prints.
pub fn summary_sentence(analysis: &Analysis) -> String {
    let kinds = by_kind(analysis);
    if !kinds.is_empty() {
        return violations(analysis, &kinds);
    }
    if analysis.verdicts.values().all(|verdict| verdict.models.is_empty()) {
        return "Nothing was checked.".into();
    }
    let (mut refuted, mut undecided, mut held) = (Vec::new(), Vec::new(), 0_usize);
    for (model, judgement) in models(analysis) {
        match judgement {
            Judgement::Invalid => refuted.push(model),
            Judgement::Unknown(reason) => undecided.push((model, reason)),
            Judgement::Valid => held += 1,
        }
    }
    if !refuted.is_empty() {
        return format!("This history is not {}.", format::list(&refuted));
    }
    let Some((_, reason)) = undecided.first() else {
        return match analysis.judgement() {
            Judgement::Unknown(reason) => {
                format!("No violation was found, but {}.", reason.trim_end_matches('.'))
            }
            _ => "No violation was found: everything that was judged held.".into(),
        };
    };
    let names: Vec<_> = undecided.iter().map(|(model, _)| model).collect();
    let was = if names.len() == 1 { "was" } else { "were" };
    let rest = if held == 0 { "" } else { "; the rest held" };
    format!(
        "No violation was found, but {} {was} not decided ({}){rest}.",
        format::list(&names),
        reason.trim_end_matches('.')
    )
}

/// The anomalies of each kind, the most telling kind first, each kind in the checkers' order.
pub(crate) fn by_kind(analysis: &Analysis) -> Vec<(AnomalyKind, Vec<&Anomaly>)> {
    let mut kinds: BTreeMap<(usize, AnomalyKind), Vec<&Anomaly>> = BTreeMap::new();
    for anomaly in analysis.anomalies() {
        let rank = MOST_TELLING_FIRST.iter().position(|&kind| kind == anomaly.kind);
        let rank = rank.unwrap_or(MOST_TELLING_FIRST.len());
        kinds.entry((rank, anomaly.kind)).or_default().push(anomaly);
    }
    kinds.into_iter().map(|((_, kind), anomalies)| (kind, anomalies)).collect()
}

/// Every model that was judged, all checkers' judgements merged.
pub(crate) fn models(analysis: &Analysis) -> BTreeMap<Model, Judgement> {
    let judged: BTreeSet<Model> =
        analysis.verdicts.values().flat_map(|verdict| verdict.models.keys().copied()).collect();
    judged.into_iter().filter_map(|model| Some((model, analysis.model(model)?))).collect()
}

/// A measure by its name, from whichever checker took it.
pub(crate) fn measure(analysis: &Analysis, name: &str) -> Option<u64> {
    analysis.verdicts.values().filter_map(|verdict| verdict.measures.get(name).copied()).max()
}

/// How many anomalies of a kind there are: checkers may list fewer than they count.
pub(crate) fn full_count(analysis: &Analysis, kind: AnomalyKind, listed: usize) -> u64 {
    let counted = match kind {
        AnomalyKind::LostWrite => measure(analysis, "lost_writes"),
        AnomalyKind::Nonlinearizable => measure(analysis, "nonlinearizable_keys"),
        AnomalyKind::Divergence => measure(analysis, "diverged_keys"),
        AnomalyKind::TwoLeaders => measure(analysis, "two_leader_pairs"),
        AnomalyKind::StaleRead => measure(analysis, "stale_reads"),
        AnomalyKind::UnexpectedValue => measure(analysis, "unexpected_values"),
        AnomalyKind::DuplicateElement => measure(analysis, "duplicate_elements"),
        AnomalyKind::TwoHolders => measure(analysis, "two_holders"),
        AnomalyKind::RepeatedToken => measure(analysis, "repeated_tokens"),
        AnomalyKind::WrongTotal => measure(analysis, "wrong_totals"),
        AnomalyKind::NegativeBalance => measure(analysis, "negative_balances"),
        AnomalyKind::WrongAccounts => measure(analysis, "wrong_accounts"),
        AnomalyKind::ReadYourWrites
        | AnomalyKind::MonotonicReads
        | AnomalyKind::MonotonicWrites
        | AnomalyKind::WritesFollowReads
        | AnomalyKind::TokenOrder => {
            measure(analysis, &format!("{}_violations", kind.name().replace('-', "_")))
        }
        AnomalyKind::Isolation(..) => {
            let name = kind.name().replace('-', "_").to_lowercase();
            measure(analysis, &format!("{name}_anomalies"))
        }
    };
    counted.unwrap_or(0).max(listed as u64)
}

fn violations(analysis: &Analysis, kinds: &[(AnomalyKind, Vec<&Anomaly>)]) -> String {
    let told = &kinds[..kinds.len().min(TOLD)];
    let clauses: Vec<_> =
        told.iter().map(|(kind, anomalies)| clause(analysis, *kind, anomalies)).collect();
    let mut sentence = match clauses.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{}, and {last}", first.join(", ")),
        _ => clauses.concat(),
    };
    let mut others: Vec<Model> = Vec::new();
    for model in kinds[told.len()..].iter().map(|(kind, _)| kind.rules_out()) {
        if !others.contains(&model) && !matches!(model, Model::Isolation(..)) {
            others.push(model);
        }
    }
    if !others.is_empty() {
        sentence += &format!("; {} did not hold either", format::list(&others));
    }
    // Clauses may begin with a node's name, which stays as it is.
    let starts_with_node = sentence.starts_with('n')
        && sentence[1..].starts_with(|character: char| character.is_ascii_digit());
    let sentence = if starts_with_node { sentence } else { capitalized(&sentence) };
    format!("{sentence}.{}", isolation(analysis).unwrap_or_default())
}

/// The weakest levels of isolation that are violated, and the strongest that are not, as sentences of
/// their own; `None` if all that were judged hold.
fn isolation(analysis: &Analysis) -> Option<String> {
    let judged = models(analysis);
    let of = |wanted: fn(&Judgement) -> bool| -> BTreeSet<Model> {
        let levels = judged.iter().filter(|(model, _)| matches!(model, Model::Isolation(..)));
        levels.filter(|(_, judgement)| wanted(judgement)).map(|(model, _)| *model).collect()
    };
    let violated = of(|it| *it == Judgement::Invalid);
    if violated.is_empty() {
        return None;
    }
    let list = |models: BTreeSet<Model>| format::list(&models.into_iter().collect::<Vec<_>>());
    let weakest = list(Model::weakest(&violated));
    let strongest = Model::strongest(&of(|it| *it != Judgement::Invalid));
    let held = match strongest.is_empty() {
        true => String::new(),
        false => format!("; the strongest not ruled out: {}", list(strongest)),
    };
    Some(format!(" The weakest levels violated: {weakest}{held}."))
}

/// What happened, without a capital and a full stop.
fn clause(analysis: &Analysis, kind: AnomalyKind, anomalies: &[&Anomaly]) -> String {
    let number = full_count(analysis, kind, anomalies.len());
    let on_keys = match anomalies.iter().any(|anomaly| anomaly.key.is_some()) {
        false => String::new(),
        true => format!(" on {}", format::counted(number, "key", "keys")),
    };
    let times = match number {
        1 => "once".into(),
        2 => "twice".into(),
        _ => format!("{} times", format::count(number)),
    };
    match kind {
        AnomalyKind::TwoLeaders => {
            let order = leadership::in_order(analysis);
            let overlaps = leadership::overlaps(analysis, &order);
            match overlaps.iter().max_by_key(|overlap| overlap.duration_ns()) {
                Some(longest) => format!(
                    "{} and {} both accepted writes for {}",
                    longest.earlier.node,
                    longest.later.node,
                    format::duration(longest.duration_ns())
                ),
                None => "two nodes accepted writes as leader".into(),
            }
        }
        AnomalyKind::LostWrite => {
            let writes =
                format::counted(number, "acknowledged write was", "acknowledged writes were");
            format!("{writes} lost")
        }
        AnomalyKind::Divergence => {
            format!("replicas still disagreed after a quiet period{on_keys}")
        }
        AnomalyKind::Nonlinearizable => {
            format!("no order of the operations explains what clients saw{on_keys}")
        }
        AnomalyKind::ReadYourWrites => format!("sessions missed their own writes {times}"),
        AnomalyKind::MonotonicReads => format!("sessions read backwards in time {times}"),
        AnomalyKind::MonotonicWrites => {
            format!("a session's writes took effect out of order {times}")
        }
        AnomalyKind::WritesFollowReads => {
            format!("a write was ordered before one that its session had read {times}")
        }
        AnomalyKind::StaleRead => {
            format!("{} missed what was there", format::counted(number, "read", "reads"))
        }
        AnomalyKind::UnexpectedValue => format!("what nobody had written was found {times}"),
        AnomalyKind::DuplicateElement => format!("an element was found twice in its set {times}"),
        AnomalyKind::TwoHolders => format!("two clients held a lock at once {times}"),
        AnomalyKind::RepeatedToken => format!("a fencing token was given again {times}"),
        AnomalyKind::TokenOrder => format!("a later fencing token was smaller {times}"),
        AnomalyKind::WrongTotal => format!("the total of all accounts was wrong {times}"),
        AnomalyKind::NegativeBalance => format!("an account held less than nothing {times}"),
        AnomalyKind::WrongAccounts => format!("accounts were missing, or unknown, {times}"),
        AnomalyKind::Isolation(phenomenon, _) => {
            format!("{} ({})", told(phenomenon), kind.name())
        }
    }
}

/// What a group of anomalies is called above its list.
pub(crate) fn title(kind: AnomalyKind) -> &'static str {
    match kind {
        AnomalyKind::TwoLeaders => "Two leaders at once",
        AnomalyKind::LostWrite => "Lost writes",
        AnomalyKind::Divergence => "Replicas that disagree",
        AnomalyKind::Nonlinearizable => "Not linearizable",
        AnomalyKind::ReadYourWrites => "Own writes missed",
        AnomalyKind::MonotonicReads => "Reads that went back",
        AnomalyKind::MonotonicWrites => "Writes out of order",
        AnomalyKind::WritesFollowReads => "Writes before what they followed",
        AnomalyKind::StaleRead => "Stale reads",
        AnomalyKind::UnexpectedValue => "Values that nobody wrote",
        AnomalyKind::DuplicateElement => "Elements found twice",
        AnomalyKind::TwoHolders => "Two holders of a lock",
        AnomalyKind::RepeatedToken => "Fencing tokens given again",
        AnomalyKind::TokenOrder => "Fencing tokens out of order",
        AnomalyKind::WrongTotal => "Wrong totals",
        AnomalyKind::NegativeBalance => "Negative balances",
        AnomalyKind::WrongAccounts => "Missing or unknown accounts",
        AnomalyKind::Isolation(phenomenon, _) => match phenomenon {
            Phenomenon::GarbageRead => "Reads of what nobody wrote",
            Phenomenon::DuplicateElements => "Elements twice in a list",
            Phenomenon::G0 => "Circles of writes",
            Phenomenon::G1a => "Reads of what had failed",
            Phenomenon::G1b => "Reads of intermediate values",
            Phenomenon::G1c => "Circles of reads and writes",
            Phenomenon::FutureRead => "Reads of own later writes",
            Phenomenon::DirtyUpdate => "Writes on top of what had failed",
            Phenomenon::IncompatibleOrder => "Reads of a list that contradict each other",
            Phenomenon::Internal => "Own writes missed within a transaction",
            Phenomenon::ObservedTransactionVanishes => "Transactions seen and gone",
            Phenomenon::NonRepeatableRead => "Reads that were not repeatable",
            Phenomenon::ReadSkew => "Read skew",
            Phenomenon::FracturedRead => "Transactions seen in part",
            Phenomenon::CausalityViolation => "Causes missed",
            Phenomenon::LostUpdate => "Lost updates",
            Phenomenon::LongFork => "Long forks",
            Phenomenon::GSingleItem | Phenomenon::GSingle => "Circles with one anti-dependency",
            Phenomenon::GNonadjacentItem | Phenomenon::GNonadjacent => {
                "Circles without adjacent anti-dependencies"
            }
            Phenomenon::WriteSkew => "Write skew",
            Phenomenon::G2Item | Phenomenon::G2 => "Circles with anti-dependencies",
        },
    }
}

/// What happened among transactions, without a capital and a full stop.
fn told(phenomenon: Phenomenon) -> &'static str {
    match phenomenon {
        Phenomenon::GarbageRead => "what nobody had written was read",
        Phenomenon::DuplicateElements => "an element was found twice in its list",
        Phenomenon::G0 => "transactions overwrote each other in a circle",
        Phenomenon::G1a => "what a failed transaction had written was read",
        Phenomenon::G1b => "a value was read that its transaction overwrote itself",
        Phenomenon::G1c => "transactions read from each other in a circle",
        Phenomenon::FutureRead => "a transaction read what it only wrote later",
        Phenomenon::DirtyUpdate => "a write went on top of one that failed",
        Phenomenon::IncompatibleOrder => "reads of a list contradicted each other",
        Phenomenon::Internal => "a transaction missed its own write",
        Phenomenon::ObservedTransactionVanishes => {
            "what a transaction had seen of another was gone"
        }
        Phenomenon::NonRepeatableRead => {
            "a transaction read a key twice and found different values"
        }
        Phenomenon::ReadSkew | Phenomenon::FracturedRead => {
            "a transaction saw only a part of another"
        }
        Phenomenon::CausalityViolation => "a transaction saw an effect without its cause",
        Phenomenon::LostUpdate => "an update was lost",
        Phenomenon::LongFork => "two writes were seen in different orders",
        Phenomenon::GSingleItem | Phenomenon::GSingle => "a transaction missed what it depends on",
        Phenomenon::GNonadjacentItem | Phenomenon::GNonadjacent => {
            "transactions saw snapshots that contradict each other"
        }
        Phenomenon::WriteSkew => "two transactions each overwrote what the other had read",
        Phenomenon::G2Item | Phenomenon::G2 => {
            "transactions overwrote what others had read, in a circle"
        }
    }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use perjury_checkers::{Leadership, Verdict, Witness};
    use perjury_history::{NodeId, OperationId};

    use super::*;

    fn anomaly(kind: AnomalyKind, key: Option<i64>) -> Anomaly {
        Anomaly { kind, key, explanation: String::new(), witness: Witness::default() }
    }

    fn analysis(models: &[(Model, Judgement)], anomalies: Vec<Anomaly>) -> Analysis {
        let models = models.iter().cloned().collect();
        let verdict = Verdict { models, anomalies, measures: BTreeMap::new() };
        Analysis { verdicts: BTreeMap::from([("all".to_owned(), verdict)]), ..Analysis::default() }
    }

    #[test]
    fn nothing_wrong() {
        let valid = analysis(&[(Model::Durable, Judgement::Valid)], vec![]);
        assert_eq!(
            summary_sentence(&valid),
            "No violation was found: everything that was judged held."
        );
        assert_eq!(summary_sentence(&Analysis::default()), "Nothing was checked.");
    }

    #[test]
    fn what_never_succeeded_proves_nothing() {
        let mut silent = analysis(&[(Model::Durable, Judgement::Valid)], vec![]);
        silent.never_succeeded = vec!["read".into()];
        let sentence = summary_sentence(&silent);
        assert!(
            sentence.starts_with("No violation was found, but no read ever succeeded"),
            "{sentence}"
        );
    }

    #[test]
    fn undecided_is_not_valid() {
        let models = [
            (Model::Durable, Judgement::Valid),
            (Model::Linearizable, Judgement::Unknown("10,000,000 steps were not enough.".into())),
        ];
        assert_eq!(
            summary_sentence(&analysis(&models, vec![])),
            "No violation was found, but linearizable was not decided (10,000,000 steps were not \
             enough); the rest held."
        );
    }

    #[test]
    fn two_leaders_and_what_they_cost() {
        let mut lost = analysis(
            &[(Model::SingleLeader, Judgement::Invalid)],
            vec![anomaly(AnomalyKind::LostWrite, Some(1)), anomaly(AnomalyKind::TwoLeaders, None)],
        );
        let verdict = lost.verdicts.get_mut("all").expect("it is there");
        verdict.measures.insert("lost_writes".into(), 37);
        let leadership = |node, epoch, first_ns, last_ns| Leadership {
            node: NodeId(node),
            epoch,
            first_ns,
            last_ns,
            first: OperationId(0),
            last: OperationId(0),
            writes: 1,
        };
        lost.leaderships = vec![
            leadership(0, 1, 0, 18_200_000_000),
            leadership(2, 2, 14_000_000_000, 30_000_000_000),
        ];
        assert_eq!(
            summary_sentence(&lost),
            "n1 and n3 both accepted writes for 4.2 s, and 37 acknowledged writes were lost."
        );
    }

    #[test]
    fn many_kinds_are_named_after_the_third() {
        let every = AnomalyKind::ALL.into_iter().map(|kind| anomaly(kind, Some(7))).collect();
        assert_eq!(
            summary_sentence(&analysis(&[], every)),
            "Two nodes accepted writes as leader, 1 acknowledged write was lost, and a fencing \
             token was given again once; fencing, mutual-exclusion, integrity, convergent, \
             linearizable, read-your-writes, monotonic-reads, monotonic-writes and \
             writes-follow-reads did not hold either."
        );
    }
}
