//! Whether a run showed what its test expects.

use perjury_checkers::{Analysis, AnomalyKind, Judgement};
use perjury_reports::ExpectationResult;
use serde::{Deserialize, Serialize};

use crate::campaign::{Expectations, Violation};
use crate::exit_code;

/// How a run stands against its expectations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The exit code that tells it.
    pub exit_code: u8,
    /// Each expectation, and each unexpected violation.
    pub expectations: Vec<ExpectationResult>,
}

/// Compares an analysis with what was expected of it.
pub fn judge(expect: &Expectations, analysis: &Analysis) -> Outcome {
    let mut outcome = Outcome { exit_code: exit_code::EXPECTED, expectations: Vec::new() };
    let mut note = |text: String, detail: String, code: u8| {
        let met = code == exit_code::EXPECTED;
        outcome.expectations.push(ExpectationResult { text, met, detail });
        outcome.exit_code = exit_code::merge(outcome.exit_code, code);
    };
    for &model in &expect.models {
        let (detail, code) = match analysis.model(model) {
            Some(Judgement::Valid) => ("it does".to_owned(), exit_code::EXPECTED),
            Some(Judgement::Invalid) => ("it is violated".to_owned(), exit_code::VIOLATION),
            Some(Judgement::Unknown(why)) => (why, exit_code::INCONCLUSIVE),
            None => {
                let detail = "no checker of this workload decides it".to_owned();
                (detail, exit_code::INCONCLUSIVE)
            }
        };
        note(format!("{model} holds"), detail, code);
    }
    let found = kinds(analysis);
    for violation in &expect.violations {
        let (detail, code) = match found.iter().any(|&kind| violation.covers(kind)) {
            true => ("found".to_owned(), exit_code::EXPECTED),
            false => ("not found".to_owned(), exit_code::VIOLATION),
        };
        note(format!("{} is violated", violation.name()), detail, code);
    }
    if let Some(most) = expect.max_lost_writes {
        let lost = measure(analysis, "lost_writes");
        let (detail, code) = match lost {
            Some(lost) if lost <= most => (format!("{lost} lost"), exit_code::EXPECTED),
            Some(lost) => (format!("{lost} lost"), exit_code::VIOLATION),
            None => ("nothing counted them".to_owned(), exit_code::INCONCLUSIVE),
        };
        note(format!("at most {most} acknowledged writes are lost"), detail, code);
    }
    for kind in found {
        let among = |list: &[Violation]| list.iter().any(|violation| violation.covers(kind));
        if among(&expect.violations) {
            continue;
        }
        let (text, code) = match among(&expect.known) {
            true => (format!("{kind} may be violated"), exit_code::EXPECTED),
            false => (format!("no {kind} beyond the expected"), exit_code::VIOLATION),
        };
        note(text, "found".to_owned(), code);
    }
    // What nobody said anything about may be unknown without harm; that nothing could be judged
    // at all may not, nor that a function never succeeded: what holds then, holds of nothing.
    let nothing_said = expect.models.is_empty() && expect.violations.is_empty();
    if (nothing_said || !analysis.never_succeeded.is_empty())
        && let Judgement::Unknown(why) = analysis.judgement()
    {
        note("the history can be judged".to_owned(), why, exit_code::INCONCLUSIVE);
    }
    outcome
}

/// The kinds of anomalies that were found.
pub fn kinds(analysis: &Analysis) -> Vec<AnomalyKind> {
    let found = |kind: &AnomalyKind| analysis.anomalies().any(|anomaly| anomaly.kind == *kind);
    AnomalyKind::ALL.into_iter().filter(found).collect()
}

/// A number that some checker measured.
pub fn measure(analysis: &Analysis, name: &str) -> Option<u64> {
    analysis.verdicts.values().find_map(|verdict| verdict.measures.get(name)).copied()
}

#[cfg(test)]
mod tests {
    use perjury_checkers::{Anomaly, Model, Verdict, Witness};

    use super::*;

    fn analysis(models: &[(Model, Judgement)], anomalies: &[AnomalyKind]) -> Analysis {
        let anomaly = |&kind: &AnomalyKind| Anomaly {
            kind,
            key: None,
            explanation: String::new(),
            witness: Witness::default(),
        };
        let verdict = Verdict {
            models: models.iter().cloned().collect(),
            anomalies: anomalies.iter().map(anomaly).collect(),
            measures: [("lost_writes".to_owned(), 3)].into(),
        };
        Analysis { verdicts: [("test".to_owned(), verdict)].into(), ..Analysis::default() }
    }

    fn code(expect: serde_json::Value, analysis: &Analysis) -> u8 {
        let expect = serde_json::from_value(expect).expect("good expectations");
        judge(&expect, analysis).exit_code
    }

    #[test]
    fn each_expectation_counts() {
        use serde_json::json;
        let unknown = Judgement::Unknown("too long".into());
        let broken = analysis(
            &[(Model::Linearizable, Judgement::Invalid), (Model::Durable, unknown)],
            &[AnomalyKind::Nonlinearizable],
        );
        let cases = [
            (json!({ "violations": ["linearizable"] }), exit_code::EXPECTED),
            (json!({ "violations": ["nonlinearizable"] }), exit_code::EXPECTED),
            (json!({ "known": ["linearizable"], "max-lost-writes": 3 }), exit_code::EXPECTED),
            (json!({}), exit_code::VIOLATION),
            (json!({ "violations": ["linearizable", "lost-write"] }), exit_code::VIOLATION),
            (
                json!({ "models": ["linearizable"], "known": ["linearizable"] }),
                exit_code::VIOLATION,
            ),
            (
                json!({ "violations": ["linearizable"], "models": ["durable"] }),
                exit_code::INCONCLUSIVE,
            ),
            (
                json!({ "violations": ["linearizable"], "models": ["convergent"] }),
                exit_code::INCONCLUSIVE,
            ),
            (json!({ "violations": ["linearizable"], "max-lost-writes": 2 }), exit_code::VIOLATION),
        ];
        for (expect, expected) in cases {
            assert_eq!(code(expect.clone(), &broken), expected, "{expect}");
        }
    }

    #[test]
    fn a_model_that_holds_of_a_store_that_served_nothing_is_inconclusive() {
        let mut idle = analysis(&[(Model::Linearizable, Judgement::Valid)], &[]);
        idle.never_succeeded = vec!["read".to_owned()];
        let expect = serde_json::json!({ "models": ["linearizable"] });
        assert_eq!(code(expect, &idle), exit_code::INCONCLUSIVE);
        let mut broken =
            analysis(&[(Model::Linearizable, Judgement::Invalid)], &[AnomalyKind::Nonlinearizable]);
        broken.never_succeeded = vec!["cas".to_owned()];
        let expect = serde_json::json!({ "violations": ["linearizable"] });
        assert_eq!(code(expect, &broken), exit_code::EXPECTED);
    }

    #[test]
    fn nothing_expected_and_nothing_found_is_fine() {
        let fine = analysis(&[(Model::Linearizable, Judgement::Valid)], &[]);
        assert_eq!(code(serde_json::json!({}), &fine), exit_code::EXPECTED);
    }
}
