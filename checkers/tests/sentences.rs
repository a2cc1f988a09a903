//! Literal histories, with what every checker says of them.

use perjury_checkers::{
    Analysis, Checker, Context, Convergence, Judgement, Leaders, Linearizability, LostWrites,
    Model, Progress, SessionGuarantees, Verdict,
};
use perjury_history::History;

fn check(checker: &dyn Checker, drawing: &str) -> Verdict {
    let history = History::parse_notation(drawing).expect("a good drawing");
    checker.check(&history, &Context::default())
}

/// The first sentence, for a history that breaks the model.
#[track_caller]
fn broken(checker: &dyn Checker, model: Model, drawing: &str, sentence: &str) -> Verdict {
    let verdict = check(checker, drawing);
    assert_eq!(verdict.models[&model], Judgement::Invalid, "{drawing}");
    let mut of_model = verdict.anomalies.iter().filter(|it| it.kind.rules_out() == model);
    let first = of_model.next().expect("an anomaly is listed");
    assert_eq!(first.explanation, sentence, "{drawing}");
    verdict
}

#[track_caller]
fn kept(checker: &dyn Checker, model: Model, drawing: &str) {
    let verdict = check(checker, drawing);
    assert_eq!(verdict.models[&model], Judgement::Valid, "{drawing}\n{verdict:?}");
}

#[track_caller]
fn unknown(checker: &dyn Checker, model: Model, drawing: &str, reason: &str) {
    let verdict = check(checker, drawing);
    assert_eq!(verdict.models[&model], Judgement::Unknown(reason.into()), "{drawing}");
}

#[track_caller]
fn nonlinearizable(drawing: &str, sentence: &str, witness: &[(u32, &str)]) {
    let verdict = broken(&Linearizability::of_registers(), Model::Linearizable, drawing, sentence);
    let found: Vec<_> = verdict.anomalies[0]
        .witness
        .operations
        .iter()
        .map(|it| (it.operation.0, it.role.as_str()))
        .collect();
    assert_eq!(found, witness, "{drawing}");
}

#[test]
fn linearizable_histories() {
    for drawing in [
        // The read overlaps the write: either answer will do, and the later one keeps to it.
        "p0: w(x,1)------------------\np1:    r(x)=nil-  r(x)=1-",
        // An unknown write takes effect long after its client gave up.
        "p0: w(x,1)?\np1:           r(x)=nil-  r(x)=1-",
        // A failed compare-and-set did not happen, whatever the key held.
        "p0: w(x,1)-  cas(x,1,2)!  r(x)=1-",
        // Values may come back.
        "p0: w(x,1)- w(x,2)- w(x,1)- r(x)=1- w(x,2)- r(x)=2-",
        // Inspections are no reads.
        "p0: w(x,1)-  i(x)=nil@n3-  r(x)=1-",
    ] {
        kept(&Linearizability::of_registers(), Model::Linearizable, drawing);
    }
}

#[test]
fn a_stale_read() {
    nonlinearizable(
        "
        p2: w(d,12)@n1-  w(d,19)@n1-
        p7:                             r(d)=12@n2-
        ",
        "p7 read 12 from key 3 on n2 at 0.050 s, though p2's write of 19 had been acknowledged by n1 \
         at 0.035 s, before the read began; 12 is older than 19: p2's write of 12 had been \
         acknowledged by n1 at 0.022 s, before the write of 19 was asked for.",
        &[(0, "wrote 12"), (1, "wrote 19, before the read began"), (2, "read the older 12")],
    );
}

#[test]
fn an_empty_read_after_a_write() {
    nonlinearizable(
        "
        p0: w(d,12)-
        p7:           r(d)=nil-  w(d,13)-
        ",
        "p7 found key 3 empty at 0.030 s, though p0's write of 12 had been acknowledged at 0.019 \
         s, before the read began.",
        &[(0, "wrote 12, before the read began"), (1, "found nothing")],
    );
}

#[test]
fn a_read_after_another_had_seen_more() {
    nonlinearizable(
        "
        p0: w(d,12)-  w(d,19)----------------------
        p1:                    r(d)=19-
        p7:                              r(d)=12-
        ",
        "p7 read 12 from key 3 at 0.048 s, though p1 had read 19 at 0.038 s, before the read \
         began; 12 is older than 19: p0's write of 12 had been acknowledged at 0.019 s, before \
         the write of 19 was asked for.",
        &[
            (0, "wrote 12"),
            (1, "wrote 19"),
            (2, "read 19, before the read began"),
            (3, "read the older 12"),
        ],
    );
}

#[test]
fn reads_that_go_to_and_fro() {
    nonlinearizable(
        "
        p0: w(d,12)---------------------------------
        p1: w(d,19)---------------------------------
        p7:    r(d)=19-   r(d)=12-   r(d)=19-
        ",
        "p7 read 19 from key 3 at 0.044 s, though p7 had read 12 at 0.033 s, before the read \
         began; 19 is older than 12: p7 had read 19 at 0.022 s, before p7 began to read 12.",
        &[
            (0, "wrote 12"),
            (1, "wrote 19"),
            (2, "read 19"),
            (3, "read 12, before the read began"),
            (4, "read the older 19"),
        ],
    );
}

#[test]
fn values_from_nowhere() {
    nonlinearizable(
        "p0: w(d,12)-  r(d)=13-",
        "p0 read 13 from key 3 at 0.021 s, a value that nobody wrote.",
        &[(1, "read 13")],
    );
    nonlinearizable(
        "p0: w(d,12)-  w(d,13)!  r(d)=13-",
        "p0 read 13 from key 3 at 0.031 s, though p0's write of 13 had failed at 0.021 s.",
        &[(1, "failed to write 13"), (2, "read 13")],
    );
    nonlinearizable(
        "
        p0: w(d,12)-             w(d,13)-
        p1:            r(d)=13-
        ",
        "p1 read 13 from key 3 at 0.030 s, before anyone had asked for that value: p0's write of 13 \
         was asked at 0.033 s.",
        &[(1, "read 13"), (2, "wrote 13, later")],
    );
}

#[test]
fn a_lost_update() {
    nonlinearizable(
        "
        p0: w(d,12)-  cas(d,12,13)-
        p7:              cas(d,12,14)-
        ",
        "p7's compare-and-set of key 3 from 12 to 14 succeeded at 0.037 s, though p0's \
         compare-and-set from 12 to 13 had succeeded too (0.034 s), and 12 was written once: one \
         update is lost.",
        &[(0, "wrote 12"), (1, "replaced 12 too"), (2, "replaced 12")],
    );
}

#[test]
fn a_compare_and_set_that_found_an_old_value() {
    nonlinearizable(
        "
        p0: w(d,12)-  w(d,19)-
        p7:                      cas(d,12,14)@n2-
        ",
        "p7's compare-and-set of key 3 from 12 to 14 succeeded on n2 at 0.048 s, though p0's write \
         of 19 had been acknowledged at 0.029 s, before the compare-and-set began; 12 is older than \
         19: p0's write of 12 had been acknowledged at 0.019 s, before the write of 19 was asked \
         for.",
        &[
            (0, "wrote 12"),
            (1, "wrote 19, before the compare-and-set began"),
            (2, "found the older 12"),
        ],
    );
}

#[test]
fn a_contradiction_of_repeated_values() {
    nonlinearizable(
        "p0: w(d,1)-  w(d,2)-  w(d,1)-  r(d)=2-",
        "p0 read 2 from key 3 at 0.037 s, but in every order of the earlier operations that \
         explains their answers, key 3 then held 1.",
        &[(0, "wrote 1"), (1, "wrote 2"), (2, "wrote 1"), (3, "read 2")],
    );
}

#[test]
fn what_has_nothing_to_do_with_it_is_left_out() {
    nonlinearizable(
        "
        p0: w(d,1)-  r(d)=1-  w(d,2)-  r(d)=2-  cas(d,2,3)-  w(d,4)-
        p1: w(d,5)?    w(d,6)?                              r(d)=3------   r(d)=1-
        p2:    r(d)=nil---      r(d)=2----   w(d,9)----------------
        ",
        "p1 read 1 from key 3 at 0.081 s, though p0's write of 2 had been acknowledged at 0.036 \
         s, before the read began; 1 is older than 2: p0's write of 1 had been acknowledged at \
         0.018 s, before the write of 2 was asked for.",
        &[(0, "wrote 1"), (5, "wrote 2, before the read began"), (12, "read the older 1")],
    );
}

#[test]
fn every_key_is_judged_and_the_smallest_witness_comes_first() {
    let verdict = check(
        &Linearizability::of_registers(),
        "
        p0: w(a,1)-  w(a,2)-  r(a)=1-
        p1: w(b,1)-  r(b)=1-  r(b)=1-
        p2: w(c,1)-  r(c)=7-  r(c)=1-
        ",
    );
    let keys: Vec<_> = verdict.anomalies.iter().map(|it| it.key).collect();
    assert_eq!(keys, [Some(2), Some(0)]);
    assert_eq!(verdict.measures["nonlinearizable_keys"], 2);
    assert_eq!(verdict.measures["keys_decided"], 3);
}

#[test]
fn a_search_that_reaches_its_limit_says_how_far_it_came() {
    // Values repeat, so that only the search can decide.
    let drawing = "
        p0: r(a)=nil-  r(a)=7-
        p1: w(b,1)-  w(b,2)-  w(b,1)-  r(b)=1-
        p2:          w(b,4)?             r(b)=1-   r(b)=4-
        ";
    let history = History::parse_notation(drawing).expect("a good drawing");
    let context = Context { step_limit: 10, ..Context::default() };
    let verdict = Linearizability::of_registers().check(&history, &context);
    // Key a is decided within the limit, and outweighs key b.
    assert_eq!(verdict.models[&Model::Linearizable], Judgement::Invalid);
    assert_eq!(verdict.measures["keys_unknown"], 1);
    let context = Context { step_limit: 3, ..Context::default() };
    let drawing = drawing.replace("r(a)=7-", "w(a,7)-  w(a,7)-");
    let history = History::parse_notation(&drawing).expect("a good drawing");
    let verdict = Linearizability::of_registers().check(&history, &context);
    let Judgement::Unknown(reason) = &verdict.models[&Model::Linearizable] else {
        panic!("{verdict:?}")
    };
    assert_eq!(
        reason,
        "key 0: the search reached the limit of 3 steps; the first 1 of 3 completed operations were \
         proved linearizable, 0 operations of unknown outcome were open there; use more keys with \
         fewer operations each, a lower concurrency or a higher limit (and 1 more key)"
    );
    let context = Context { out_of_time: &|| true, ..Context::default() };
    let judgement =
        &Linearizability::of_registers().check(&history, &context).models[&Model::Linearizable];
    assert!(matches!(judgement, Judgement::Unknown(reason) if reason.contains("the time limit")));
}

#[test]
fn what_a_decider_knows_is_not_lost_over_a_limit() {
    let drawing = "
        p0: w(x,1)-   w(x,2)-
        p1:                     r(x)=1-
        ";
    let history = History::parse_notation(drawing).expect("a good drawing");
    let context = Context { step_limit: 1, ..Context::default() };
    let verdict = Linearizability::of_registers().check(&history, &context);
    assert_eq!(verdict.models[&Model::Linearizable], Judgement::Invalid);
    let told = ", and no order of these operations explains all that they found.";
    assert!(verdict.anomalies[0].explanation.ends_with(told), "{verdict:?}");
}

#[test]
fn nothing_to_judge_is_unknown() {
    unknown(
        &Linearizability::of_registers(),
        Model::Linearizable,
        "p0: w(x,1)!  i(x)=nil@n1-",
        "no operation on a register took effect",
    );
    for model in SessionGuarantees.models() {
        unknown(&SessionGuarantees, *model, "p0: w(x,1)-", "nothing to judge: no read succeeded");
        unknown(
            &SessionGuarantees,
            *model,
            "p0: r(x)=nil-",
            "nothing to judge: no write succeeded",
        );
    }
    unknown(
        &LostWrites,
        Model::Durable,
        "p0: r(x)=nil-",
        "no write was acknowledged, so none can be lost",
    );
    unknown(
        &LostWrites,
        Model::Durable,
        "p0: w(x,1)-",
        "no node was inspected for key 23 after its last acknowledged write, and p0's write of 1 to \
         key 23 has no version: let the workload's final phase inspect every key on every node",
    );
    unknown(
        &Leaders,
        Model::SingleLeader,
        "p0: w(x,1)@n1-",
        "no acknowledged write tells its epoch and the node that accepted it",
    );
    unknown(
        &Convergence,
        Model::Convergent,
        "p0: i(x)=1@n1-   w(x,1)-",
        "no node was inspected after the last acknowledged write: let the workload's final phase \
         inspect every key on every node",
    );
}

#[test]
fn read_your_writes() {
    let model = Model::ReadYourWrites;
    broken(
        &SessionGuarantees,
        model,
        "p3: w(d,12)@n1#1.1-  w(d,19)@n1#1.2-  r(d)=12@n2#1.1-",
        "p3 read 12 from key 3 on n2 at 0.052 s, though it had written 19 on n1 at 0.035 s \
         before; 12 is older: it has version 1.1, 19 has 1.2.",
    );
    broken(
        &SessionGuarantees,
        model,
        "
        p2: w(d,12)@n1-
        p3:              w(d,19)-   r(d)=12-
        ",
        "p3 read 12 from key 3 at 0.043 s, though it had written 19 at 0.032 s before; 12 is older: \
         p2's write of 12 was acknowledged by n1 at 0.022 s, before p3 asked for 19 at 0.025 s.",
    );
    broken(
        &SessionGuarantees,
        model,
        "p3: w(d,19)-  r(d)=nil-",
        "p3 found key 3 empty at 0.022 s, though it had written 19 at 0.011 s before.",
    );
    // Another session's stale read breaks nothing, nor does a value of unknown age.
    kept(&SessionGuarantees, model, "p3: w(d,19)-\np4:            r(d)=nil-");
    kept(&SessionGuarantees, model, "p3: w(d,19)-  r(d)=12-\np4: w(d,12)---");
    // An unknown write promises nothing.
    kept(&SessionGuarantees, model, "p3: w(d,19)?  r(d)=nil-\np4: w(e,1)-");
}

#[test]
fn monotonic_reads() {
    let model = Model::MonotonicReads;
    let verdict = broken(
        &SessionGuarantees,
        model,
        "
        p0: w(d,1)-  w(d,2)?
        p1:                  r(d)=2-  r(d)=1-  r(d)=nil-
        ",
        "p1 read 1 from key 3 at 0.044 s, though it had read 2 at 0.035 s before; 1 is older: \
         p0's write of 1 was acknowledged at 0.018 s, before p0 asked for 2 at 0.021 s.",
    );
    assert_eq!(verdict.measures["monotonic_reads_violations"], 2);
    let roles: Vec<_> =
        verdict.anomalies[0].witness.operations.iter().map(|it| it.role.as_str()).collect();
    assert_eq!(
        roles,
        [
            "wrote the older 1",
            "wrote the newer 2",
            "the session's earlier read of 2",
            "the session's later read of 1",
        ]
    );
    // Two sessions may see different ages.
    kept(
        &SessionGuarantees,
        model,
        "
        p0: w(d,1)-  w(d,2)-
        p1:                  r(d)=2-  r(d)=2-
        p2:                  r(d)=1-  r(d)=2-
        ",
    );
}

#[test]
fn a_version_that_is_disputed_proves_nothing() {
    let told = |version: &str| {
        format!(
            "
            p0: w(d,1)#1.5-----
            p1:    w(d,2)#1.6-----
            p2:                      r(d)=2#1.6-  r(d)=1#{version}-
            "
        )
    };
    kept(&SessionGuarantees, Model::MonotonicReads, &told("1.9"));
    let verdict = check(&SessionGuarantees, &told("1.5"));
    assert_eq!(verdict.models[&Model::MonotonicReads], Judgement::Invalid);
}

#[test]
fn monotonic_writes_and_writes_follow_reads() {
    broken(
        &SessionGuarantees,
        Model::MonotonicWrites,
        "p2: w(d,3)@n1#1.7-  w(d,4)@n3#1.3-  r(d)=3-",
        "p2 wrote 4 to key 3 on n3 at 0.033 s, though it had written 3 on n1 at 0.017 s before; 4 \
         is older: it has version 1.3, 3 has 1.7.",
    );
    broken(
        &SessionGuarantees,
        Model::WritesFollowReads,
        "
        p1: w(d,5)@n2#2.9-
        p2:                   r(d)=5@n2#2.9-  w(d,4)@n1#1.12-
        ",
        "p2 wrote 4 to key 3 on n1 at 0.060 s, though it had read 5 on n2 at 0.043 s before; 4 is \
         older: it has version 1.12, 5 has 2.9.",
    );
    for model in [Model::MonotonicWrites, Model::WritesFollowReads] {
        kept(&SessionGuarantees, model, "p2: w(d,3)#1.7-  r(d)=3#1.7-  w(d,4)#2.1-");
        unknown(
            &SessionGuarantees,
            model,
            "p2: w(d,3)-  r(d)=3-  w(d,4)-",
            "the store reports no versions, so the order of its writes is not known",
        );
    }
}

#[test]
fn values_written_twice_are_not_judged_by_sessions() {
    unknown(
        &SessionGuarantees,
        Model::MonotonicReads,
        "p0: w(d,1)-  w(d,2)-  w(d,1)-  r(d)=2-",
        "key 3: 1 was written more than once, so a read of it does not tell which write it saw; \
         write every value once",
    );
}

#[test]
fn lost_writes() {
    let verdict = broken(
        &LostWrites,
        Model::Durable,
        "
        p0: w(x,1)@n1#1.1-  w(x,2)@n1#1.2-
        p1:                                  w(y,5)@n3#2.2-
        p2:                                                   i(x)=1@n1-  i(x)=1@n2-  i(x)=nil@n3-
        p3:                                                   i(y)=5@n1-  i(y)=5@n2-  i(y)=5@n3-
        ",
        "p0's write of 2 to key 23 was acknowledged by n1 in epoch 1 at 0.041 s and is gone: n3 took \
         over in epoch 2 (its first write was acknowledged at 0.058 s); the log was cut: the write \
         had position 2, and p1's write of 5 took the position 2 in epoch 2; in the end n1 and n2 \
         held 1, n3 held nothing, all of it older.",
    );
    let expected = [("acknowledged_writes", 3), ("lost_writes", 1), ("oldest_lost_ms", 17)];
    for (measure, number) in expected {
        assert_eq!(verdict.measures[measure], number, "{measure}");
    }
    broken(
        &LostWrites,
        Model::Durable,
        "
        p0: w(x,1)@n1-  w(x,2)@n1-
        p2:                          i(x)=1@n1-  i(x)=1@n2-
        ",
        "p0's write of 2 to key 23 was acknowledged by n1 at 0.033 s and is gone: in the end n1 and \
         n2 held 1, all of it older.",
    );
    broken(
        &LostWrites,
        Model::Durable,
        "
        p0: w(x,1)@n1#1.4-
        p1:                  w(y,5)@n3#2.3-
        ",
        "p0's write of 1 to key 23 was acknowledged by n1 in epoch 1 at 0.025 s and is gone: n3 \
         took over in epoch 2 (its first write was acknowledged at 0.042 s); the log was cut: the \
         write had position 4, and p1's write of 5 took the earlier position 3 in epoch 2.",
    );
}

#[test]
fn writes_that_are_not_lost() {
    for drawing in [
        // Replaced by a later write, or by one that overlapped it.
        "p0: w(x,1)-  w(x,2)-  i(x)=2@n1-  i(x)=2@n2-",
        "p0: w(x,1)---         i(x)=1@n1-  i(x)=1@n2-\np1:   w(x,2)---",
        // Replaced by one of unknown outcome, asked long before.
        "p0: w(x,2)?\np1:           w(x,1)-  i(x)=2@n1-",
        // One node still holds it: the nodes have diverged, but it is not lost.
        "p0: w(x,1)-  w(x,2)-  i(x)=2@n1-  i(x)=1@n2-",
        // The log was cut, but the old leader kept the write.
        "p0: w(x,1)@n1#1.2-   w(y,1)@n2#2.2-  i(x)=1@n1-  i(x)=nil@n2-   i(y)=1@n1-  i(y)=1@n2-",
        // The same, and there a later write of its own epoch replaced it.
        "p0: w(x,1)@n1#1.2- w(x,3)@n1#1.3-  w(y,1)@n2#2.2-  i(x)=3@n1#1.3-  i(x)=nil@n2-  i(y)=1@n1-",
        // A new epoch that goes on where the last one ended.
        "p0: w(x,1)@n1#1.1-   w(x,2)@n2#2.2-",
    ] {
        kept(&LostWrites, Model::Durable, drawing);
    }
    unknown(
        &LostWrites,
        Model::Durable,
        "p0: w(x,1)@n1-  i(x)=nil@n1-  i(x)@n2?",
        "p0's write of 1 to key 23 is on none of the nodes that were inspected in the end, but n2 \
         did not answer",
    );
}

#[test]
fn two_leaders() {
    let verdict = broken(
        &Leaders,
        Model::SingleLeader,
        "
        p0: w(x,1)@n1#1.1-                       w(x,3)@n1#1.2-  w(x,4)@n1#1.3-
        p1:                   w(x,2)@n3#2.2-
        ",
        "n3 had taken over in epoch 2 (its first write was acknowledged at 0.043 s), yet n1 went on \
         accepting writes in epoch 1: 2 writes within 35 ms, the first asked by p0 at 0.049 s.",
    );
    let expected = [
        ("leaders", 2),
        ("leader_changes", 1),
        ("two_leader_pairs", 1),
        ("writes_by_deposed_leaders", 2),
        ("two_leaders_ms", 35),
    ];
    for (measure, number) in expected {
        assert_eq!(verdict.measures[measure], number, "{measure}");
    }
    broken(
        &Leaders,
        Model::SingleLeader,
        "
        p0: w(x,1)@n1#2.1-                       w(x,3)@n1#2.2-
        p1:                   w(x,2)@n3#2.2-
        ",
        "n1 and n3 both acted as leader of epoch 2: n1 acknowledged 2 writes from 0.025 s to \
         0.062 s, n3 acknowledged 1 write at 0.043 s.",
    );
    // A write that was under way when the leader changed proves nothing.
    kept(&Leaders, Model::SingleLeader, "p0: w(x,1)@n1#1.1---------------\np1:    w(x,2)@n3#2.2-");
    // The same node may lead again.
    kept(&Leaders, Model::SingleLeader, "p0: w(x,1)@n1#1.1-  w(x,2)@n1#3.2-  w(x,3)@n2#4.3-");
}

#[test]
fn divergence() {
    broken(
        &Convergence,
        Model::Convergent,
        "
        p0: w(x,1)-  w(x,2)-
        p1:                   i(x)=2@n1-  i(x)=1@n2-  i(x)=2@n3-
        ",
        "In the end the nodes disagree on key 23: n1 and n3 held 2, n2 held 1.",
    );
    kept(&Convergence, Model::Convergent, "p0: w(x,1)-  i(x)=nil@n2-  i(x)=1@n1-  i(x)=1@n2-");
    unknown(
        &Convergence,
        Model::Convergent,
        "p0: w(x,1)-  i(x)=1@n1-  i(x)=1@n2-  i(x)@n3!",
        "n3 did not answer for key 23 in the end",
    );
}

#[test]
fn progress_counts_and_decides_nothing() {
    let verdict = check(&Progress, "p0: w(x,1)-  r(x)!  r(x)!  w(x,2)?");
    assert!(verdict.models.is_empty());
    assert_eq!(verdict.measures["ok_operations"], 1);
    assert_eq!(verdict.measures["functions_never_succeeded"], 1);
}

#[test]
fn an_analysis_survives_json() {
    let history = History::parse_notation(
        "
        p0: w(x,1)@n1#1.1-  w(x,2)@n1#1.2-  r(x)=1@n2#1.1-
        p1: r(x)!                                            i(x)=1@n1-  i(x)=nil@n2-
        ",
    )
    .expect("a good drawing");
    let checkers: Vec<Box<dyn Checker>> = vec![
        Box::new(Linearizability::of_registers()),
        Box::new(SessionGuarantees),
        Box::new(LostWrites),
        Box::new(Leaders),
        Box::new(Convergence),
        Box::new(Progress),
    ];
    let analysis = Analysis::of(&history, &checkers, &Context::default());
    assert_eq!(analysis.judgement(), Judgement::Invalid);
    assert_eq!(analysis.leaderships.len(), 1);
    let json = serde_json::to_string(&analysis).expect("it can be written");
    let read: Analysis = serde_json::from_str(&json).expect("it can be read");
    assert_eq!(read, analysis);
}
