//! Literal histories of queues, bags and stacks, with what the checker says of them.

use perjury_checkers::linearizability::{ObjectKind, ObjectSettings};
use perjury_checkers::{Checker, Context, Judgement, Linearizability, Model, Verdict};
use perjury_history::{History, Names};

fn check(checker: &dyn Checker, drawing: &str) -> Verdict {
    let history = History::parse_notation(drawing).expect("a good drawing");
    checker.check(&history, &Context::default())
}

#[track_caller]
fn kept(checker: &dyn Checker, drawing: &str) {
    let verdict = check(checker, drawing);
    assert_eq!(verdict.models[&Model::Linearizable], Judgement::Valid, "{drawing}\n{verdict:?}");
}

/// The sentence, and the witness with its roles.
#[track_caller]
fn broken(checker: &dyn Checker, drawing: &str, sentence: &str, witness: &[(u32, &str)]) {
    let verdict = check(checker, drawing);
    assert_eq!(verdict.models[&Model::Linearizable], Judgement::Invalid, "{drawing}");
    let [anomaly] = &verdict.anomalies[..] else { panic!("one key, one anomaly: {verdict:?}") };
    assert_eq!(anomaly.explanation, sentence, "{drawing}");
    let found = anomaly.witness.operations.iter();
    let found: Vec<_> = found.map(|it| (it.operation.0, it.role.as_str())).collect();
    assert_eq!(found, witness, "{drawing}");
}

#[test]
fn linearizable_containers() {
    let queues = [
        // The enqueues overlap: either may have come first.
        "p0: enq(q,1)---\np1: enq(q,2)---\np2:                 deq(q)=2- deq(q)=1- deq(q)=nil-",
        // An unknown enqueue may take effect late, and an unknown dequeue may have taken 1.
        "
        p0: enq(q,1)-  enq(q,2)-  enq(q,3)?  deq(q)?
        p1:  deq(q)=nil---                             deq(q)=2- deq(q)=3-
        ",
        // A failed enqueue did not happen.
        "p0: enq(q,1)!  enq(q,2)-  deq(q)=2- deq(q)=nil-",
    ];
    for drawing in queues {
        kept(&Linearizability::of_queues(), drawing);
        kept(&Linearizability::of_bags(), drawing);
    }
    kept(&Linearizability::of_bags(), "p0: enq(q,1)-  enq(q,2)-  enq(q,3)-  deq(q)=3-  deq(q)=1-");
    for drawing in [
        "p0: push(s,1)-  push(s,2)-  pop(s)=2-  pop(s)=1-  pop(s)=nil-",
        "
        p0: push(s,1)----  pop(s)=2-
        p1:   push(s,2)---
        p2: pop(s)=nil-------           pop(s)=1-
        ",
    ] {
        kept(&Linearizability::of_stacks(), drawing);
    }
}

#[test]
fn a_value_out_of_turn() {
    broken(
        &Linearizability::of_queues(),
        "
        p0: enq(q,1)@n1-  enq(q,2)-
        p1:                          deq(q)=2@n2-
        p2:                                        deq(q)=1-
        ",
        "p1 dequeued 2 from key 16 on n2 at 0.048 s, though 1 was ahead of it: p0's enqueue of 1 \
         had been acknowledged by n1 at 0.023 s, before the enqueue of 2 was asked for; 1 was \
         dequeued only later: p2 asked at 0.051 s.",
        &[(0, "put in 1 first"), (1, "put in 2 afterwards"), (2, "took 2 first")],
    );
    broken(
        &Linearizability::of_queues(),
        "
        p0: enq(q,1)-  enq(q,2)-
        p1:                       deq(q)=2-
        ",
        "p1 dequeued 2 from key 16 at 0.042 s, though 1 was ahead of it: p0's enqueue of 1 had \
         been acknowledged at 0.020 s, before the enqueue of 2 was asked for; nobody dequeued 1.",
        &[(0, "put in 1 first"), (1, "put in 2 afterwards"), (2, "took 2 first")],
    );
}

#[test]
fn a_value_from_below() {
    broken(
        &Linearizability::of_stacks(),
        "
        p0: push(s,1)-  push(s,2)@n1-
        p1:                            pop(s)=1-  pop(s)=2-
        ",
        "p1 popped 1 from key 18 at 0.047 s, though 2 lay on top of it: p0's push of 1 had been \
         acknowledged at 0.021 s, before the push of 2 was asked for, and that one at 0.036 s, \
         before the pop began; 2 was popped only later: p1 asked at 0.050 s.",
        &[(0, "put in 1 first"), (1, "put 2 on top"), (2, "took 1 from below")],
    );
}

#[test]
fn a_value_taken_twice() {
    let drawing = "
        p0: enq(q,1)-
        p1:           deq(q)=1-----
        p2:             deq(q)=1-----
        ";
    let sentence = "p2 dequeued 1 from key 16 at 0.036 s, though p1 dequeued it, too, at 0.034 s, \
     and it was enqueued only once.";
    let witness = [(0, "put in 1"), (1, "took 1"), (2, "took 1 again")];
    broken(&Linearizability::of_queues(), drawing, sentence, &witness);
    broken(&Linearizability::of_bags(), drawing, sentence, &witness);
    broken(
        &Linearizability::of_stacks(),
        "p0: push(s,1)-  pop(s)=1-  pop(s)=1-",
        "p0 popped 1 \
     from key 18 at 0.035 s, though p0 popped it, too, at 0.024 s, and it was pushed only once.",
        &[(0, "put in 1"), (1, "took 1"), (2, "took 1 again")],
    );
}

#[test]
fn values_from_nowhere() {
    for (drawing, sentence, witness) in [
        (
            "p0: enq(q,1)-  deq(q)=2-",
            "p0 dequeued 2 from key 16 at 0.023 s, a value that nobody \
         enqueued.",
            &[(1, "dequeue brought 2")][..],
        ),
        (
            "p0: enq(q,1)-  enq(q,2)!  deq(q)=2-",
            "p0 dequeued 2 from key 16 at 0.034 s, though \
         p0's enqueue of 2 had failed at 0.023 s.",
            &[(1, "failed to put in 2"), (2, "dequeue brought 2")],
        ),
        (
            "p0: deq(q)=2-  enq(q,2)-",
            "p0 dequeued 2 from key 16 at 0.012 s, before anyone had \
         asked for that: p0's enqueue of 2 was asked at 0.015 s.",
            &[(0, "dequeue brought 2"), (1, "put in 2, later")],
        ),
    ] {
        broken(&Linearizability::of_queues(), drawing, sentence, witness);
        broken(&Linearizability::of_bags(), drawing, sentence, witness);
    }
}

#[test]
fn found_empty_though_it_was_not() {
    broken(
        &Linearizability::of_queues(),
        "
        p0: enq(q,1)-
        p1:            deq(q)=nil@n2-  deq(q)=1-
        ",
        "p1 found key 16 empty on n2 at 0.036 s, though 1 was in it: p0's enqueue of 1 had been \
         acknowledged at 0.020 s, before the dequeue began; 1 was dequeued only later: p1 asked \
         at 0.039 s.",
        &[(0, "put in 1, before the dequeue began"), (1, "found nothing")],
    );
    broken(
        &Linearizability::of_queues(),
        "
        p0: enq(q,1)-                             deq(q)=1-
        p1:                  enq(q,2)-
        p2:               deq(q)=nil------------------------------
        p3:                                                           deq(q)=2-
        ",
        "p2 found key 16 empty at 0.065 s, though it was never empty while the dequeue was under \
         way: what was certainly in it was 1 from 0.020 s to 0.050 s and 2 from 0.037 s on.",
        &[(0, "enqueue of 1"), (1, "found nothing"), (2, "enqueue of 2"), (3, "dequeue brought 1")],
    );
}

#[test]
fn what_no_story_tells() {
    // Of any two values either can lie below the other; of the three none can lie below all.
    broken(
        &Linearizability::of_stacks(),
        "
        p0: push(s,1)--                             pop(s)=1---------
        p1:      push(s,2)----------------                    pop(s)=2---------
        p2:                     push(s,3)----------------                          pop(s)=3-
        ",
        "p1 popped 2 from key 18 at 0.078 s, but in every order of the earlier operations that \
         explains their answers, key 18 then held [2, 3].",
        &[
            (0, "push of 1"),
            (1, "push of 2"),
            (2, "push of 3"),
            (3, "pop brought 1"),
            (
                4,
                "pop \
         brought 2",
            ),
        ],
    );
}

#[test]
fn what_is_no_operation_of_the_object() {
    let verdict = check(&Linearizability::of_queues(), "p0: push(q,1)-");
    let reason = "key 16: `push` is nothing that a queue is asked";
    assert_eq!(verdict.models[&Model::Linearizable], Judgement::Unknown(reason.into()));
}

#[test]
fn what_only_gains() {
    for (object, kept, broken, sentence) in [
        (
            ObjectKind::Set,
            "p0: add(d,1)-  add(d,2)?\np1:    rs(d)={}-    rs(d)={1,2}-",
            "p0: add(d,1)-  add(d,2)-  rs(d)={2}-",
            "p0 read {2} from key 3 at 0.035 s, but in every order of the earlier operations that \
             explains their answers, key 3 then held {1, 2}.",
        ),
        (
            ObjectKind::Counter,
            "p0: inc(d,1)-  inc(d,2)?\np1:    rc(d)=0-    rc(d)=3-",
            "p0: inc(d,1)-  inc(d,2)?  rc(d)=2-",
            "p0 read 2 from key 3 at 0.033 s, but in every order of the earlier operations that \
             explains their answers, key 3 then held 1 or 3.",
        ),
        (
            ObjectKind::IdGenerator,
            "p0: gen(d)=1-  gen(d)?  gen(d)=3-",
            "p0: gen(d)=1-  gen(d)=2-  gen(d)=1-",
            "p0 was given 1 by key 3 at 0.034 s, but in every order of the earlier operations that \
             explains their answers, key 3 then held {1}.",
        ),
    ] {
        for together in [false, true] {
            let settings = ObjectSettings { together, ..ObjectSettings::default() };
            let checker = object.checker(&settings, &Names::default());
            self::kept(&*checker, kept);
            let verdict = check(&*checker, broken);
            assert_eq!(verdict.models[&Model::Linearizable], Judgement::Invalid, "{broken}");
            if !together {
                assert_eq!(verdict.anomalies[0].explanation, sentence, "{broken}");
            }
        }
    }
}
