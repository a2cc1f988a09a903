//! Literal histories of sets, counters and locks, with what their checkers say of them.

use std::collections::BTreeMap;

use perjury_checkers::{
    Checker, Context, Convergence, Counters, Judgement, Locks, Model, Sets, Verdict,
};
use perjury_history::History;

fn check(checker: &dyn Checker, drawing: &str) -> Verdict {
    let history = History::parse_notation(drawing).expect("a good drawing");
    checker.check(&history, &Context::default())
}

/// The judgements by name, and every sentence with its witness.
#[track_caller]
fn says(checker: &dyn Checker, drawing: &str, judgements: &[(Model, &str)], sentences: &[&str]) {
    let verdict = check(checker, drawing);
    let found: BTreeMap<Model, &str> =
        verdict.models.iter().map(|(model, it)| (*model, it.name())).collect();
    assert_eq!(found, judgements.iter().copied().collect(), "{drawing}\n{verdict:?}");
    let said: Vec<String> = verdict
        .anomalies
        .iter()
        .map(|it| {
            let operations = it.witness.operations.iter();
            let roles = operations.map(|it| format!("{} {}", it.operation, it.role));
            let roles: Vec<_> = roles.collect();
            format!("{}: {} [{}]", it.kind, it.explanation, roles.join(", "))
        })
        .collect();
    assert_eq!(said, sentences, "{drawing}");
}

const SOUND_SET: [(Model, &str); 3] =
    [(Model::Linearizable, "valid"), (Model::Integrity, "valid"), (Model::Durable, "valid")];

#[test]
fn a_sound_set() {
    let drawing = "
        p0: add(d,1)-  add(d,2)?              add(d,4)-
        p1:    rs(d)={}----      rs(d)={1,2}-
        p2: add(d,3)!                                     is(d)={1,2,4}@n1- is(d)={4,2,1}@n2-
        ";
    says(&Sets, drawing, &SOUND_SET, &[]);
    says(&Convergence, drawing, &[(Model::Convergent, "valid")], &[]);
}

#[test]
fn a_lost_element() {
    let drawing = "
        p0: add(d,1)@n1-  add(d,2)@n1-
        p1:                             rs(d)={1,2}@n1-
        p2:                                              is(d)={1}@n1-  is(d)={1}@n2-
        ";
    let judgements =
        [(Model::Linearizable, "valid"), (Model::Integrity, "valid"), (Model::Durable, "invalid")];
    says(
        &Sets,
        drawing,
        &judgements,
        &[
            "lost-write: p0's add of 2 to set 3 was acknowledged by n1 at 0.037 s and is gone: in the \
           end n1 and n2 held the set without it; p1 had read it at 0.054 s. [1 the acknowledged add, \
           2 read 2, 3 n1 was without it, 4 n2 was without it]",
        ],
    );
    let verdict = check(&Sets, drawing);
    assert_eq!((verdict.measures["lost_writes"], verdict.measures["acknowledged_writes"]), (1, 2));
}

#[test]
fn an_element_that_only_some_nodes_have_is_divergence() {
    let drawing = "
        p0: add(d,1)-  add(d,2)-
        p2:                       is(d)={2,1}@n1-  is(d)={1}@n2-  is(d)={1,2}@n3-
        ";
    let judgements =
        [(Model::Linearizable, "unknown"), (Model::Integrity, "valid"), (Model::Durable, "valid")];
    says(&Sets, drawing, &judgements, &[]);
    says(
        &Convergence,
        drawing,
        &[(Model::Convergent, "invalid")],
        &[
            "divergence: In the end the nodes disagree on key 3: n1 and n3 held 2 elements, n2 held 1 \
           element without 2. [2 n1 held 2 elements, 3 n2 held 1 element without 2, 4 n3 held 2 \
           elements]",
        ],
    );
}

#[test]
fn stale_reads_of_a_set() {
    let judgements =
        [(Model::Linearizable, "invalid"), (Model::Integrity, "valid"), (Model::Durable, "valid")];
    says(
        &Sets,
        "
        p0: add(d,1)@n1-  add(d,2)@n1-
        p1:                             rs(d)={}@n2-
        p2:                                           is(d)={1,2}@n1-
        ",
        &judgements,
        &[
            "stale-read: p1's read of set 3 on n2 at 0.051 s did not find 1, though p0's add of 1 had \
           been acknowledged by n1 at 0.023 s, before the read began. Another element was missing, \
           too. [0 added 1, before the read began, 2 lacked 1]",
        ],
    );
    says(
        &Sets,
        "
        p0: add(d,1)-----------------------------------
        p1:    rs(d)={1}@n1-  rs(d)={}@n2-
        p2:                                              is(d)={1}@n1-
        ",
        &judgements,
        &[
            "stale-read: p1's read of set 3 on n2 at 0.041 s did not find 1, though p1 had read it at \
           0.027 s, before the read began. [0 added 1, 1 read 1, before the other read began, 2 \
           lacked 1]",
        ],
    );
}

#[test]
fn reads_of_a_set_that_no_order_explains() {
    let judgements =
        [(Model::Linearizable, "invalid"), (Model::Integrity, "valid"), (Model::Durable, "valid")];
    says(
        &Sets,
        "
        p0: add(d,1)--------------------
        p1: add(d,2)--------------------
        p2:    rs(d)={1}---
        p3:     rs(d)={2}---
        p4:                               is(d)={1,2}@n1-
        ",
        &judgements,
        &[
            "nonlinearizable: p2's read of set 3 at 0.026 s found 1 without 2, and p3's read of set 3 \
           at 0.027 s found 2 without 1: whichever was added first, one of them missed it. [0 added \
           1, 1 added 2, 2 found 1 without 2, 3 found 2 without 1]",
        ],
    );
    says(
        &Sets,
        "
        p0: add(d,1)-  add(d,2)-
        p2:    rs(d)={2}-----------
        p4:                          is(d)={1,2}@n1-
        ",
        &judgements,
        &[
            "nonlinearizable: p2's read of set 3 at 0.034 s found 2 without 1, though p0's add of 1 \
           had been acknowledged at 0.020 s, before p0 asked for the add of 2 at 0.023 s. [0 added 1 \
           first, 1 found 2 without 1, 2 added 2 later]",
        ],
    );
}

#[test]
fn elements_that_must_not_be_there() {
    says(
        &Sets,
        "
        p0: add(d,1)-  add(d,2)!
        p1:                       rs(d)={1,2,7}@n2-             is(d)={1,1,3}@n1-
        p2:                                          add(d,3)-
        ",
        &[
            (Model::Linearizable, "invalid"),
            (Model::Integrity, "invalid"),
            (Model::Durable, "valid"),
        ],
        &[
            "unexpected-value: p1's read of set 3 on n2 at 0.050 s found 2, though p0's add of it had \
             failed at 0.031 s. [1 added 2, and failed, 2 found 2]",
            "unexpected-value: p1's read of set 3 on n2 at 0.050 s found 7, an element that nobody \
             added. [2 found 7]",
            "duplicate-element: p1's inspection of set 3 on n1 at 0.080 s found 1 more than once. [4 \
             found 1 more than once]",
        ],
    );
    says(
        &Sets,
        "
        p0: rs(d)={1}-  add(d,1)-
        ",
        &[
            (Model::Linearizable, "invalid"),
            (Model::Integrity, "invalid"),
            (Model::Durable, "unknown"),
        ],
        &["unexpected-value: p0's read of set 3 at 0.021 s found 1, though it was added only \
           afterwards, by p0 at 0.024 s. [0 found 1, 1 added 1 afterwards]"],
    );
}

#[track_caller]
fn unknown(checker: &dyn Checker, model: Model, drawing: &str, reason: &str) {
    let verdict = check(checker, drawing);
    assert_eq!(verdict.models[&model], Judgement::Unknown(reason.into()), "{drawing}");
}

#[test]
fn what_cannot_be_told() {
    unknown(
        &Sets,
        Model::Durable,
        "p0: add(d,1)-  rs(d)={1}@n1-   add(d,2)-",
        "no node was looked at for set 3 after its last acknowledged add: let the workload's final \
         phase inspect or read every set on every node",
    );
    unknown(
        &Sets,
        Model::Durable,
        "p0: add(d,1)-  is(d)={}@n1-  is(d)@n2!",
        "1 acknowledged element of set 3 on none of the nodes that were looked at in the end, but n2 \
         did not answer",
    );
    unknown(
        &Sets,
        Model::Durable,
        "p0: rs(d)={}",
        "no add was acknowledged, so no element can be lost",
    );
    unknown(&Sets, Model::Linearizable, "p0: add(d,1)", "no read of a set succeeded");
    unknown(
        &Sets,
        Model::Linearizable,
        "p0: add(d,1);add(d,2)- rs(d)={1}",
        "set 3: transactions of several micro-operations touch it, and they are not judged here",
    );
    unknown(
        &Counters,
        Model::Linearizable,
        "p0: inc(d,1)-  inc(d,2)-  rc(d)=3-",
        "counter 3: its increments are of different sizes, and whether an order of them explains \
         reads that are within their bounds is not judged",
    );
    unknown(
        &Counters,
        Model::Durable,
        "p0: inc(d,1)-  inc(d,-1)-  rc(d)=0@n1-",
        "counter 3 goes up and down, so that losses cancel out",
    );
    unknown(&Locks, Model::Fencing, "p0: acq(d)=1-", "no lock was acquired more than once");
    unknown(
        &Locks,
        Model::Fencing,
        "p0: acq(d)-  rel(d,1)-  acq(d)-",
        "2 of 2 acquisitions brought no token",
    );
}

#[test]
fn counters() {
    let sound =
        [(Model::Linearizable, "valid"), (Model::Integrity, "valid"), (Model::Durable, "valid")];
    says(
        &Counters,
        "
        p0: inc(d,1)-  inc(d,1)?              inc(d,1)-
        p1:    rc(d)=0----      rc(d)=2-
        p2: inc(d,1)!                                   ic(d)=3@n1-  ic(d)=2@n2-
        ",
        &sound,
        &[],
    );
    says(
        &Counters,
        "
        p0: inc(d,1)-  inc(d,1)-
        p1:                       rc(d)=1@n2-   rc(d)=3@n1-
        p2:                                                   ic(d)=1@n1-  ic(d)=1@n2-
        ",
        &[
            (Model::Linearizable, "invalid"),
            (Model::Integrity, "invalid"),
            (Model::Durable, "invalid"),
        ],
        &[
            "lost-write: At least 1 acknowledged increment to counter 3 is lost: 2 were acknowledged \
             and make 2, yet in the end n1 and n2 stood at 1. [0 added 1, 1 added 1, 4 n1 stood at 1, \
             5 n2 stood at 1]",
            "unexpected-value: p1's read of counter 3 on n1 at 0.058 s found 3, though all increments \
             that were asked for by then make it at most 2. [0 added 1, 1 added 1, 3 found 3]",
            "stale-read: p1's read of counter 3 on n2 at 0.044 s found 1, though 2 increments had \
             been acknowledged before the read began and make it at least 2. [0 added 1, 1 added 1, 2 \
             found 1]",
        ],
    );
    says(
        &Counters,
        "
        p0: inc(d,5)-----------------------------
        p1:    rc(d)=5-  rc(d)=0-
        p2:                                        ic(d)=5@n1-
        ",
        &[(Model::Linearizable, "invalid"), (Model::Integrity, "valid"), (Model::Durable, "valid")],
        &[
            "stale-read: p1's read of counter 3 at 0.032 s found 0, though p1 had found 5 at 0.022 s, \
           before the read began. [1 found 5, 2 went back to 0]",
        ],
    );
}

#[test]
fn a_counter_whose_reads_no_order_explains() {
    // Only one increment came between the reads, and they differ by two.
    says(
        &Counters,
        "
        p0: inc(d,1)---------------
        p1: inc(d,1)---------------
        p2:    rc(d)=1-             rc(d)=1-
        p3:                                   ic(d)=2@n1-
        ",
        &[(Model::Linearizable, "invalid"), (Model::Integrity, "valid"), (Model::Durable, "valid")],
        &["stale-read: p2's read of counter 3 at 0.043 s found 1, though 2 increments had been \
           acknowledged before the read began and make it at least 2. [0 added 1, 1 added 1, 3 found \
           1]"],
    );
    says(
        &Counters,
        "
        p0: inc(d,1)--------------------------------------
        p1:    rc(d)=1-            rc(d)=1-
        p2:              inc(d,1)-
        p3:                                                ic(d)=2@n1-
        ",
        &[(Model::Linearizable, "invalid"), (Model::Integrity, "valid"), (Model::Durable, "valid")],
        &[
            "nonlinearizable: No order of the increments explains what was read: p1's read of counter 3 \
           at 0.022 s found 1 and p1's read of counter 3 at 0.042 s found 1, while 0 increments had \
           been acknowledged before and 2 were under way or came between. [0 added 1, 1 found 1, 2 \
           added 1, 3 found 1]",
        ],
    );
}

#[test]
fn locks() {
    let judge =
        |exclusion, fencing| [(Model::MutualExclusion, exclusion), (Model::Fencing, fencing)];
    says(
        &Locks,
        "
        p0: acq(d)=3-  rel(d,3)-              acq(d)!
        p1:    acq(d)!      acq(d)=5-  rel(d,5)?
        ",
        &judge("valid", "valid"),
        &[],
    );
    says(
        &Locks,
        "
        p0: acq(d)=33-                                  rel(d,33)!
        p1:             acq(d)=34@n2-    rel(d,34)-
        ",
        &judge("invalid", "valid"),
        &[
            "two-holders: p1 (token 34) acquired lock 3 at 0.036 s, though p0 (token 33) held it from \
           0.021 s until 0.056 s: both held it for 5 ms. [0 acquired it, 1 acquired it, too, 2 gave \
           it back, 3 gave it back only now]",
        ],
    );
    says(
        &Locks,
        "
        p0: acq(d)=5@n1-  rel(d,5)-
        p1:                          acq(d)=5@n2-  rel(d,5)-
        p2:                                                   acq(d)=4@n2-
        ",
        &judge("valid", "invalid"),
        &[
            "repeated-token: Lock 3 was acquired twice with token 5: for p0 by n1 at 0.023 s, and for \
             p1 by n2 at 0.048 s. [0 brought the token, 2 brought it again]",
            "token-order: Lock 3 was acquired with token 5 for p0 by n1 at 0.023 s, and later, asked \
             for at 0.062 s, with the smaller token 4 for p2 by n2 at 0.073 s. [0 brought the larger \
             token, 4 came later]",
        ],
    );
}
