//! What every injector must do on every kind of lab, seen by means other than its own.
//!
//! A [`TestBed`] is a lab with a small program, the witness, on each of five machines; what the
//! witnesses hear from each other, which clocks they read and which records they find is compared
//! with the faults that the journal says are in force, and with nothing else. A new kind of lab
//! implements [`TestBed`] and adds one line at the end of this file.

mod support;

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use futures::future::{Either, join, select};
use perjury_history::{FaultStage, NodeId};
use perjury_lab::simulated::{ClockFault, Latency, Link, NetworkSettings, Settings};
use perjury_nemesis::{Fault, FaultKind, Pace, Schedule, Shape};

use support::{Idle, Look, MS, SECOND, Scene, SimulatedBed, SlowLook, Stubborn, TestBed, script};

/// Every kind of fault, every shape of a partition, every error of a clock, every kind of target.
const FAULTS: &[&str] = &[
    "partition:halves",
    "partition:one",
    "partition:minority",
    "partition:primaries",
    "partition:bridge",
    "partition:ring",
    "partition:one-way",
    "kill",
    "kill@primaries",
    "kill@all",
    "crash",
    "crash@majority",
    "pause@minority",
    "pause@n1+n4",
    "clock:bump",
    "clock:strobe@minority",
    "clock:drift@all",
    "slow",
    "lossy",
    "lossy@n2+n3",
    "terminate@minority",
    "corrupt",
    "partition:halves/7",
    "bandwidth",
    "disk:full",
    "disk:slow",
    "disk:read-only",
    "disk:error",
    "disk:bit-flip",
    "disk:truncate",
    "cpu",
    "memory",
];

/// One of each kind.
const KINDS: &[&str] = &[
    "partition:halves",
    "kill@minority",
    "crash@minority",
    "pause@minority",
    "clock:bump@minority",
    "clock:strobe@minority",
    "clock:drift@minority",
    "slow@minority",
    "lossy@minority",
    "terminate@minority",
    "corrupt@minority",
    "bandwidth@minority",
    "disk:full@minority",
    "cpu@minority",
    "memory@minority",
];

const NEVER: u64 = u64::MAX / 2;

/// Those that this kind of lab can make. What it cannot make it refuses, and says what would help.
fn possible<B: TestBed>(specs: &[&'static str]) -> Vec<&'static str> {
    let injector = B::new(1).injector();
    let can = |spec: &&str| match injector.can(&spec.parse().expect("a good spec")) {
        Ok(()) => true,
        Err(reason) => {
            assert!(reason.contains("; "), "{spec}: {reason}");
            false
        }
    };
    specs.iter().copied().filter(can).collect()
}

fn all_kinds_are_named() {
    let named = |list: &[&str], name: &str| {
        list.iter().any(|spec| spec.split([':', '@']).next() == Some(name))
    };
    // These are over at once, or done by the store: they have tests of their own.
    let own = [FaultKind::Promote, FaultKind::Restart, FaultKind::Membership];
    for kind in FaultKind::ALL.into_iter().filter(|kind| !own.contains(kind)) {
        assert!(named(FAULTS, kind.name()) && named(KINDS, kind.name()), "{kind:?}");
    }
    for shape in Shape::ALL {
        assert!(FAULTS.contains(&format!("partition:{}", shape.name()).as_str()), "{shape:?}");
    }
}

/// The fault's effect is there while it is in force and gone after its end, and so is its entry in
/// the journal; the record tells its stages with times and nodes.
fn every_fault_has_its_effect_and_an_end<B: TestBed>() {
    all_kinds_are_named();
    for (seed, spec) in (1..).zip(possible::<B>(FAULTS)) {
        let scene = Scene::<B>::new(seed);
        let mut nemesis = scene.nemesis(seed);
        let scenario = async {
            scene.sleep_until(SECOND).await;
            let usual = Look::take(&scene.bed, SECOND).await;
            usual.shows([], &usual).unwrap_or_else(|it| panic!("{spec}, before: {it}"));
            let began_ns = scene.bed.clock().now_ns();
            let watch = async {
                scene.sleep_until(began_ns + 3 * SECOND).await;
                let in_force = scene.left_behind();
                assert_eq!(in_force.len(), 1, "{spec}");
                let during = Look::take(&scene.bed, SECOND).await;
                let seen = during.shows(in_force.values(), &usual);
                seen.unwrap_or_else(|it| panic!("{spec}: {in_force:?}: {it}"));
                scene.sleep_until(began_ns + 8 * SECOND).await;
                assert!(scene.left_behind().is_empty(), "{spec}");
                let later = Look::take(&scene.bed, SECOND).await;
                later.shows([], &usual).unwrap_or_else(|it| panic!("{spec}, after: {it}"));
                in_force.into_values().next().expect("there is one")
            };
            let schedule = script([(1_000, 5_000, spec)]);
            let (outcome, fault) = join(nemesis.run(&schedule, NEVER), watch).await;
            outcome.expect("the journal can be written");
            assert_eq!(scene.stages(0), ["applied", "observed", "undone"], "{spec}");
            for event in scene.events() {
                assert_eq!(event.nodes, fault.nodes(), "{spec}: {event:?}");
                assert_eq!(event.name, fault.name(), "{spec}: {event:?}");
                assert!(!event.detail.is_empty(), "{spec}: {event:?}");
            }
            let took_ms =
                |stage, since_ms: u64| (scene.time_ns(0, stage) - began_ns) / MS - since_ms;
            assert!(took_ms(FaultStage::Applied, 1_000) < 100, "{spec}");
            assert!(took_ms(FaultStage::Observed, 1_000) < 1_000, "{spec}");
            assert!(took_ms(FaultStage::Undone, 6_000) < 1_000, "{spec}");
        };
        scene.bed.run(scenario);
    }
}

/// Each of two faults that overlap, of one kind or of two, lasts until its own end.
fn overlapping_faults_do_not_undo_each_other<B: TestBed>() {
    let kinds = possible::<B>(KINDS);
    for (&first, &second) in
        kinds.iter().flat_map(|one| kinds.iter().map(move |other| (one, other)))
    {
        let seed = (first.len() * 100 + second.len()) as u64;
        let scene = Scene::<B>::new(seed);
        let mut nemesis = scene.nemesis(seed);
        let scenario = async {
            scene.sleep_until(500 * MS).await;
            let usual = Look::take(&scene.bed, 500 * MS).await;
            let began_ns = scene.bed.clock().now_ns();
            let watch = async {
                for (after_ms, expected) in
                    [(2_500, &[0, 1][..]), (5_500, &[1][..]), (8_500, &[][..])]
                {
                    scene.sleep_until(began_ns + after_ms * MS).await;
                    let in_force = scene.left_behind();
                    let numbers: Vec<_> = in_force.keys().copied().collect();
                    assert_eq!(numbers, expected, "{first}, {second} after {after_ms} ms");
                    let look = Look::take(&scene.bed, SECOND).await;
                    let seen = look.shows(in_force.values(), &usual);
                    seen.unwrap_or_else(|it| {
                        panic!("{first}, {second} after {after_ms} ms: {in_force:?}:\n{it}")
                    });
                }
            };
            let schedule = script([(0, 4_000, first), (1_000, 6_000, second)]);
            let (outcome, ()) = join(nemesis.run(&schedule, NEVER), watch).await;
            outcome.expect("the journal can be written");
            for number in [0, 1] {
                let stages = scene.stages(number);
                assert_eq!(stages.last(), Some(&"undone"), "{first}, {second}: {stages:?}");
                assert!(!stages.contains(&"failed"), "{first}, {second}: {:?}", scene.events());
            }
        };
        scene.bed.run(scenario);
    }
}

/// Whenever the schedule is dropped, healing takes back what is in force, and says so.
fn healing_takes_back_everything_whenever_the_run_was_dropped<B: TestBed>() {
    for (seed, spec) in (1..).zip(possible::<B>(KINDS)) {
        // In the middle of looks, between them, and just at beginnings and ends.
        for dropped_ms in [0, 1, 10, 15, 25, 60, 200, 300, 301, 305, 310, 330, 400, 700, 2_000] {
            let scene = Scene::<B>::new(seed);
            let mut nemesis = scene.nemesis(seed);
            let scenario = async {
                scene.sleep_until(200 * MS).await;
                let usual = Look::take(&scene.bed, 500 * MS).await;
                let began_ns = scene.bed.clock().now_ns();
                let schedule = script([(0, 300, spec), (10, NEVER / MS, "partition:one")]);
                {
                    let alarm = scene.bed.clock().sleep_until(began_ns + dropped_ms * MS);
                    let run = std::pin::pin!(nemesis.run(&schedule, NEVER));
                    if let Either::Right((outcome, _)) = select(alarm, run).await {
                        outcome.expect("the journal can be written");
                    }
                }
                nemesis.heal().await.expect("the journal can be written");
                let shown = format!("{spec} dropped after {dropped_ms} ms: {:?}", scene.events());
                assert!(nemesis.in_force().is_empty(), "{shown}");
                assert!(scene.left_behind().is_empty(), "{shown}");
                for number in 0..2 {
                    let stages = scene.stages(number);
                    if stages.contains(&"applied") {
                        assert_eq!(stages.last(), Some(&"undone"), "{shown}");
                    }
                }
                let events = scene.events().len();
                nemesis.heal().await.expect("there is nothing left to do");
                assert_eq!(scene.events().len(), events, "{shown}");
                scene.sleep_until(scene.bed.clock().now_ns() + 600 * MS).await;
                let later = Look::take(&scene.bed, SECOND).await;
                later.shows([], &usual).unwrap_or_else(|it| panic!("{shown}:\n{it}"));
            };
            scene.bed.run(scenario);
        }
    }
}

/// One fault of each kind around a node, for an injector without a nemesis.
fn faults_around(node: NodeId, all: &[NodeId]) -> Vec<Fault> {
    let nodes = || vec![node];
    let others = all.iter().copied().filter(|&other| other != node);
    let links: std::collections::BTreeSet<Link> = others
        .flat_map(|other| [Link { from: node, to: other }, Link { from: other, to: node }])
        .collect();
    let links = || links.clone();
    let clock = |error| Fault::Clock { nodes: nodes(), error };
    vec![
        Fault::Partition { shape: Shape::One, nodes: nodes(), links: links(), ports: Vec::new() },
        Fault::Kill { nodes: nodes() },
        Fault::Terminate { nodes: nodes() },
        Fault::Restart { nodes: nodes(), rolling: false },
        Fault::Crash { nodes: nodes() },
        Fault::Pause { nodes: nodes() },
        clock(ClockFault::Bump { offset_ns: -40 * MS as i64 }),
        clock(ClockFault::Strobe { offset_ns: 90 * MS as i64, period_ns: 7 * MS }),
        clock(ClockFault::Drift { ppm: -50_000 }),
        Fault::Slow { nodes: nodes(), links: links(), delay_us: 30_000, jitter_us: 5_000 },
        Fault::Lossy {
            nodes: nodes(),
            links: links(),
            loss_ppm: 300_000,
            duplicate_ppm: 100_000,
            reorder_ppm: 100_000,
        },
        Fault::Corrupt { nodes: nodes(), links: links(), corrupt_ppm: 300_000 },
    ]
}

/// Undoing a fault twice, or one that was never applied, harms neither the machines nor another
/// fault of the same kind.
fn undoing_twice_does_no_harm<B: TestBed>() {
    let kinds = faults_around(NodeId(0), &[NodeId(0), NodeId(1)]).len();
    for kind in 0..kinds {
        let bed = B::new(kind as u64);
        let nodes = bed.nodes();
        let (fault, other) =
            (&faults_around(nodes[0], &nodes)[kind], &faults_around(nodes[2], &nodes)[kind]);
        let injector = bed.injector();
        let scenario = async {
            let clock = bed.clock();
            clock.sleep_until(500 * MS).await;
            let usual = Look::take(&bed, 500 * MS).await;
            let settled = || async {
                clock.sleep_until(clock.now_ns() + 500 * MS).await;
                Look::take(&bed, SECOND).await
            };
            let undo = |number, fault| {
                let (injector, bed) = (&injector, &bed);
                async move {
                    injector.undo(number, fault).await.expect("it can be undone");
                    if fault.ends_processes() {
                        bed.restart(fault.nodes()[0]).await;
                    }
                }
            };
            let expect = |look: &Look, faults: &[&Fault]| {
                let seen = look.shows(faults.iter().copied(), &usual);
                seen.unwrap_or_else(|it| panic!("{fault}: expected {faults:?}:\n{it}"));
            };
            undo(7, fault).await;
            expect(&settled().await, &[]);
            injector.apply(7, fault).await.expect("it can be applied");
            injector.apply(8, other).await.expect("it can be applied");
            expect(&settled().await, &[fault, other]);
            undo(7, fault).await;
            undo(7, fault).await;
            expect(&settled().await, &[other]);
            undo(8, other).await;
            undo(8, other).await;
            expect(&settled().await, &[]);
        };
        bed.run(scenario);
    }
}

/// Whenever one looks, a fault that is in force is seen and not taken for over, and the other way
/// round: not even a clock that is right half of the time.
fn looks_tell_the_truth_at_any_moment<B: TestBed>() {
    let kinds = faults_around(NodeId(0), &[NodeId(0), NodeId(1)]).len();
    for kind in 0..kinds {
        let bed = B::new(kind as u64);
        let nodes = bed.nodes();
        let fault = &faults_around(nodes[0], &nodes)[kind];
        let injector = bed.injector();
        let scenario = async {
            let clock = bed.clock();
            let look = async |in_force: bool| {
                // Some that fall together with a period and some that do not.
                for after_us in (0..30).map(|index| 1_000 + index * 370) {
                    clock.sleep_until(clock.now_ns() + after_us * 1_000).await;
                    for gone in [false, true] {
                        let seen = injector.observe(fault, gone, &[]).await.expect("in sight");
                        assert_eq!(seen.as_expected, gone != in_force, "{fault}: {seen:?}");
                    }
                }
            };
            injector.apply(0, fault).await.expect("it can be applied");
            look(true).await;
            injector.undo(0, fault).await.expect("it can be undone");
            if fault.ends_processes() {
                bed.restart(nodes[0]).await;
            }
            clock.sleep_until(clock.now_ns() + SECOND).await;
            look(false).await;
        };
        bed.run(scenario);
    }
}

/// A fault whose targets are all taken is recorded as failed; nothing is done, and its end ends
/// nothing.
fn a_fault_with_nobody_to_aim_at_fails_and_harms_nothing<B: TestBed>() {
    let scene = Scene::<B>::new(1);
    let mut nemesis = scene.nemesis(1);
    let scenario = async {
        scene.sleep_until(500 * MS).await;
        let usual = Look::take(&scene.bed, 500 * MS).await;
        let began_ns = scene.bed.clock().now_ns();
        let schedule = script([
            (0, 6_000, "pause@minority"),
            (500, 6_000, "clock:bump@all"),
            (1_000, 1_000, "kill@all"),
            (1_100, 1_000, "crash@all"),
            (1_200, 1_000, "clock:drift@n2"),
            (4_000, 500, "pause@primaries"),
        ]);
        let watch = async {
            scene.sleep_until(began_ns + 4_100 * MS).await;
            let in_force = scene.left_behind();
            assert_eq!(in_force.keys().copied().collect::<Vec<_>>()[..2], [0, 1]);
            let look = Look::take(&scene.bed, 300 * MS).await;
            look.shows(in_force.values(), &usual).unwrap_or_else(|it| panic!("{in_force:?}: {it}"));
        };
        let (outcome, ()) = join(nemesis.run(&schedule, NEVER), watch).await;
        outcome.expect("the journal can be written");
        // What is not paused is killed, so nobody is left for the crash; all clocks are taken.
        assert_eq!(scene.stages(2), ["applied", "observed", "undone"]);
        for nobody in [3, 4] {
            assert_eq!(scene.stages(nobody), ["failed"], "#{nobody}");
            let events = scene.events();
            let event = events.iter().find(|it| it.fault == nobody).expect("one event");
            assert!(event.nodes.is_empty() && event.detail.starts_with("no node to aim `"));
        }
        assert!(scene.left_behind().is_empty());
    };
    scene.bed.run(scenario);
}

/// A store that does not start again stays in the journal until it does.
fn a_restart_that_fails_is_tried_again_by_heal<B: TestBed>() {
    for spec in ["kill", "crash"] {
        let scene = Scene::<B>::new(1);
        let mut nemesis = scene.nemesis(1);
        let scenario = async {
            scene.sleep_until(500 * MS).await;
            let usual = Look::take(&scene.bed, 500 * MS).await;
            // The end of the schedule, and the first healing.
            scene.restarts_fail.store(2, Ordering::Relaxed);
            nemesis.run(&script([(0, 500, spec)]), NEVER).await.expect("the journal works");
            for failures in 1..=2 {
                let stages = scene.stages(0);
                assert_eq!(stages[..2], ["applied", "observed"], "{spec}");
                assert_eq!(stages[2..], vec!["failed"; failures], "{spec}");
                let left = scene.left_behind();
                assert_eq!(left, *nemesis.in_force(), "{spec}");
                assert_eq!(left.len(), 1, "{spec}");
                let look = Look::take(&scene.bed, 500 * MS).await;
                look.shows(left.values(), &usual).unwrap_or_else(|it| panic!("{spec}: {it}"));
                nemesis.heal().await.expect("the journal works");
            }
            assert_eq!(scene.stages(0).last(), Some(&"undone"), "{spec}");
            assert!(scene.left_behind().is_empty(), "{spec}");
            let look = Look::take(&scene.bed, 500 * MS).await;
            look.shows([], &usual).unwrap_or_else(|it| panic!("{spec}: {it}"));
        };
        scene.bed.run(scenario);
    }
}

/// An injector that does nothing is found out.
fn a_fault_without_effect_is_never_observed<B: TestBed>() {
    for (seed, spec) in (1..).zip(possible::<B>(FAULTS)) {
        let scene = Scene::<B>::new(seed);
        let idle = Idle { honest: scene.bed.injector(), from_number: 0 };
        let mut nemesis = scene.nemesis_with(Box::new(idle), seed);
        let schedule = script([(500, 1_000, spec)]);
        scene.bed.run(nemesis.run(&schedule, NEVER)).expect("the journal works");
        assert_eq!(scene.stages(0), ["applied", "failed", "undone"], "{spec}");
    }
}

/// What one fault breaks is not taken for the effect of another that breaks nothing.
fn the_effect_of_another_fault_is_not_taken_for_ones_own<B: TestBed>() {
    let behind = ["partition:halves", "slow@all", "lossy@all", "crash@majority", "pause@minority"];
    for (seed, first) in (1..).zip(behind) {
        for second in ["partition:ring", "partition:halves", "slow@all", "lossy@all"] {
            let scene = Scene::<B>::new(seed);
            let idle = Idle { honest: scene.bed.injector(), from_number: 1 };
            let mut nemesis = scene.nemesis_with(Box::new(idle), seed);
            let schedule = script([(500, 10_000, first), (2_000, 5_000, second)]);
            scene.bed.run(nemesis.run(&schedule, NEVER)).expect("the journal works");
            assert_eq!(scene.stages(0), ["applied", "observed", "undone"], "{first}, {second}");
            let stages = scene.stages(1);
            assert!(!stages.contains(&"observed"), "{first}, {second}: {:?}", scene.events());
            assert_eq!(stages.last(), Some(&"undone"), "{first}, {second}");
        }
    }
}

/// A fault that is still there after its undo is not over: healing tries again.
fn a_fault_that_stays_after_its_undo_stays_in_the_journal<B: TestBed>() {
    // Processes that were ended are started again by the store, not by the injector.
    let ended = ["kill", "terminate", "crash"];
    let mut kinds = possible::<B>(KINDS);
    kinds.retain(|spec| !ended.iter().any(|kind| spec.starts_with(kind)));
    for (seed, spec) in (1..).zip(kinds) {
        let scene = Scene::<B>::new(seed);
        let stubborn = Stubborn { honest: scene.bed.injector(), tried: Mutex::default() };
        let mut nemesis = scene.nemesis_with(Box::new(stubborn), seed);
        let scenario = async {
            nemesis.run(&script([(500, 1_000, spec)]), NEVER).await.expect("the journal works");
            assert_eq!(scene.stages(0), ["applied", "observed", "failed"], "{spec}");
            assert_eq!(scene.left_behind().len(), 1, "{spec}");
            nemesis.heal().await.expect("the journal works");
            assert_eq!(scene.stages(0).last(), Some(&"undone"), "{spec}");
            assert!(scene.left_behind().is_empty(), "{spec}");
        };
        scene.bed.run(scenario);
    }
}

/// A crash may lose what was not synced and nothing else; a kill loses nothing. A paused process
/// goes on where it was.
fn only_a_crash_loses_records_and_only_those_not_synced<B: TestBed>() {
    let mut lost_by_crashes = 0;
    for seed in 1..=8 {
        for spec in ["kill@n3", "crash@n3", "pause@n3"] {
            let scene = Scene::<B>::new(seed);
            let mut nemesis = scene.nemesis(seed);
            let node = NodeId(2);
            let scenario = async {
                scene.sleep_until(1_400 * MS).await;
                let before = scene.bed.testimony(node).await.expect("it runs");
                assert!(before.synced > 0 && before.written > before.synced, "seed {seed}");
                nemesis.run(&script([(0, 500, spec)]), NEVER).await.expect("the journal works");
                let after = scene.bed.testimony(node).await.expect("it runs again");
                match spec {
                    "kill@n3" => assert!(after.found >= before.written, "seed {seed}"),
                    "crash@n3" => assert!(after.found >= before.synced, "seed {seed}"),
                    _ => assert_eq!(after.found, before.found, "seed {seed}"),
                }
                (spec == "crash@n3").then(|| before.written.saturating_sub(after.found))
            };
            lost_by_crashes += scene.bed.run(scenario).unwrap_or(0);
        }
    }
    assert!(lost_by_crashes > 0, "no crash lost anything");
}

/// While a look at one fault takes long, the next begins late, and lasts no shorter for it.
fn a_fault_that_begins_late_lasts_as_long_as_it_should<B: TestBed>() {
    let scene = Scene::<B>::new(1);
    let (honest, clock) = (scene.bed.injector(), scene.bed.clock());
    let slow = SlowLook { honest, clock, takes_ns: 2 * SECOND };
    let mut nemesis = scene.nemesis_with(Box::new(slow), 1);
    let schedule = script([(0, 9_000, "pause@n1"), (500, 1_000, "kill@n2")]);
    scene.bed.run(nemesis.run(&schedule, NEVER)).expect("the journal works");
    let time_ms = |stage| scene.time_ns(1, stage) / MS;
    assert!((2_000..2_100).contains(&time_ms(FaultStage::Applied)), "{:?}", scene.events());
    assert!((3_000..3_100).contains(&time_ms(FaultStage::Undone)), "{:?}", scene.events());
}

/// Faults that a first schedule left in force are not mixed up with those of a second one.
fn a_second_schedule_has_numbers_of_its_own<B: TestBed>() {
    let scene = Scene::<B>::new(1);
    let mut nemesis = scene.nemesis(1);
    let scenario = async {
        for spec in ["partition:halves", "partition:ring"] {
            let end_ns = scene.bed.clock().now_ns() + SECOND;
            nemesis.run(&script([(100, 5_000, spec)]), end_ns).await.expect("the journal works");
        }
        assert_eq!(scene.left_behind().keys().copied().collect::<Vec<_>>(), [0, 1]);
        nemesis.heal().await.expect("the journal works");
        assert!(scene.left_behind().is_empty());
        for number in [0, 1] {
            assert_eq!(scene.stages(number).last(), Some(&"undone"), "#{number}");
        }
    };
    scene.bed.run(scenario);
}

/// An operator's failover: over as soon as it was seen, and failed if nobody leads who should.
fn a_promotion_is_seen_and_leaves_nothing_behind<B: TestBed>() {
    let scene = Scene::<B>::new(1);
    let mut nemesis = scene.nemesis(1);
    let scenario = async {
        let promotions = script([(100, 500, "promote@n3"), (1_000, 500, "promote@n3")]);
        nemesis.run(&promotions, NEVER).await.expect("the journal can be written");
        assert_eq!(scene.stages(0), ["applied", "observed", "undone"]);
        assert_eq!(scene.stages(1), ["failed"], "a leader needs no promotion");
        scene.promotions_vain.store(true, Ordering::Relaxed);
        nemesis.run(&script([(0, 500, "promote@n1")]), NEVER).await.expect("as before");
        assert_eq!(scene.stages(2), ["applied", "failed", "undone"]);
        assert!(scene.left_behind().is_empty() && nemesis.in_force().is_empty());
    };
    scene.bed.run(scenario);
}

/// A restart is over as soon as the processes run again; one that fails is for healing.
fn a_restart_is_seen_and_leaves_nothing_behind<B: TestBed>() {
    for (seed, spec) in (1..).zip(["restart", "restart@all", "restart:rolling@all"]) {
        let scene = Scene::<B>::new(seed);
        let mut nemesis = scene.nemesis(seed);
        let scenario = async {
            scene.sleep_until(500 * MS).await;
            let usual = Look::take(&scene.bed, 500 * MS).await;
            nemesis.run(&script([(0, 500, spec)]), NEVER).await.expect("the journal works");
            assert_eq!(scene.stages(0), ["applied", "observed", "undone"], "{spec}");
            scene.sleep_until(scene.bed.clock().now_ns() + 100 * MS).await;
            let later = Look::take(&scene.bed, 500 * MS).await;
            later.shows([], &usual).unwrap_or_else(|it| panic!("{spec}: {it}"));
            let restarted = scene
                .bed
                .nodes()
                .into_iter()
                .filter(|&node| later.testimony(node).expect("it runs").found > 0);
            assert_eq!(restarted.count(), scene.events()[0].nodes.len(), "{spec}");

            scene.restarts_fail.store(1, Ordering::Relaxed);
            nemesis.run(&script([(0, 500, spec)]), NEVER).await.expect("the journal works");
            assert_eq!(scene.stages(1), ["failed", "undone"], "{spec}: its end tries again");
            assert!(scene.left_behind().is_empty() && nemesis.in_force().is_empty());
            let later = Look::take(&scene.bed, 500 * MS).await;
            later.shows([], &usual).unwrap_or_else(|it| panic!("{spec}: {it}"));
        };
        scene.bed.run(scenario);
    }
}

/// A member that was removed is added again, by healing too.
fn a_member_that_was_removed_is_added_again<B: TestBed>() {
    let scene = Scene::<B>::new(1);
    let mut nemesis = scene.nemesis(1);
    let scenario = async {
        let removals = script([(0, 500, "membership@n3"), (1_000, 60_000, "membership@n4")]);
        let end_ns = scene.bed.clock().now_ns() + 2 * SECOND;
        nemesis.run(&removals, end_ns).await.expect("the journal works");
        assert_eq!(scene.stages(0), ["applied", "observed", "undone"]);
        assert_eq!(scene.stages(1), ["applied", "observed"]);
        assert!(!scene.members().contains(&NodeId(3)));
        nemesis.heal().await.expect("the journal works");
        assert_eq!(scene.stages(1), ["applied", "observed", "undone"]);
        assert_eq!(scene.members(), scene.bed.nodes());
    };
    scene.bed.run(scenario);
}

macro_rules! conformance {
    ($lab:ident, $bed:ty, [$($scenario:ident),* $(,)?]) => {
        mod $lab {
            $(
                #[test]
                fn $scenario() {
                    super::$scenario::<$bed>();
                }
            )*
        }
    };
    ($lab:ident, $bed:ty) => {
        conformance!($lab, $bed, [
            every_fault_has_its_effect_and_an_end,
            overlapping_faults_do_not_undo_each_other,
            healing_takes_back_everything_whenever_the_run_was_dropped,
            undoing_twice_does_no_harm,
            looks_tell_the_truth_at_any_moment,
            a_fault_with_nobody_to_aim_at_fails_and_harms_nothing,
            a_restart_that_fails_is_tried_again_by_heal,
            a_fault_without_effect_is_never_observed,
            the_effect_of_another_fault_is_not_taken_for_ones_own,
            a_fault_that_stays_after_its_undo_stays_in_the_journal,
            only_a_crash_loses_records_and_only_those_not_synced,
            a_fault_that_begins_late_lasts_as_long_as_it_should,
            a_second_schedule_has_numbers_of_its_own,
            a_promotion_is_seen_and_leaves_nothing_behind,
            a_restart_is_seen_and_leaves_nothing_behind,
            a_member_that_was_removed_is_added_again,
        ]);
    };
}

conformance!(simulated, super::SimulatedBed);

/// Only in virtual time: the same seed gives the same faults at the same nanoseconds.
#[test]
fn the_same_seed_gives_the_same_record() {
    let record = |seed| {
        let scene = Scene::<SimulatedBed>::new(seed);
        let mut nemesis = scene.nemesis(seed);
        let kinds = possible::<SimulatedBed>(KINDS).into_iter();
        let faults = kinds.map(|spec| spec.parse().expect("a good spec")).collect();
        let (interval_ns, duration_ns) = (2 * SECOND, 3 * SECOND);
        let schedule = Schedule::Paced { pace: Pace::Mix, faults, interval_ns, duration_ns };
        scene.bed.run(nemesis.run(&schedule, 60 * SECOND)).expect("the journal works");
        scene.bed.run(nemesis.heal()).expect("the journal works");
        scene.events()
    };
    assert_eq!(record(7), record(7));
    assert_ne!(record(7), record(8));
}

/// Links that are far, slow and lossy by themselves neither hide a fault nor look like one.
#[test]
fn a_bad_network_is_not_taken_for_a_fault() {
    let far = NetworkSettings {
        latency: Latency { min_us: 80_000, max_us: 85_000 },
        loss_ppm: 10_000,
        duplicate_ppm: 2_000,
        ..NetworkSettings::default()
    };
    let settings = Settings { network: far, ..Settings::default() };
    for spec in possible::<SimulatedBed>(FAULTS) {
        for seed in 1..=5 {
            for idle_from in [0, 1] {
                let scene = Scene::on(SimulatedBed::with_settings(&settings, seed));
                let idle = Idle { honest: scene.bed.injector(), from_number: idle_from };
                let mut nemesis = scene.nemesis_with(Box::new(idle), seed);
                let schedule = script([(500, 2_000, spec)]);
                scene.bed.run(nemesis.run(&schedule, NEVER)).expect("the journal works");
                let seen = if idle_from == 0 { "failed" } else { "observed" };
                let events = scene.events();
                assert_eq!(scene.stages(0), ["applied", seen, "undone"], "seed {seed}: {events:?}");
            }
        }
    }
}
