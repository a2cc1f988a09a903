//! The simulated lab, seen from outside: a counting echo server on each machine.

use std::sync::Arc;
use std::task::Poll;

use perjury_history::NodeId;
use perjury_lab::simulated::{
    Boot, CallError, ClockFault, Effect, Impairment, Input, Link, MachineState, NodeTime, Payload,
    Program, Settings,
};
use perjury_lab::{Clock, SimulatedLab};

const MS: u64 = 1_000_000;
const N1: NodeId = NodeId(0);
const N2: NodeId = NodeId(1);

/// Answers each call with the number of records on its disk, after syncing one more. A call of
/// `Ticks` is answered with the ticks seen so far; it ticks every 10 ms of its own time.
struct Counter {
    records: u64,
    waiting: Vec<perjury_lab::simulated::CallId>,
    ticks: u64,
    next_tick_ns: u64,
}

struct Ticks;

fn counter(boot: &Boot) -> Box<dyn Program> {
    let next_tick_ns = boot.now.monotonic_ns + 10 * MS;
    let records = boot.disk.len() as u64;
    Box::new(Counter { records, waiting: Vec::new(), ticks: 0, next_tick_ns })
}

impl Program for Counter {
    fn step(&mut self, now: NodeTime, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Call { call, payload } if payload.is::<Ticks>() => {
                effects.push(Effect::Reply { call, payload: Arc::new(self.ticks) });
            }
            Input::Call { call, .. } => {
                self.records += 1;
                effects.push(Effect::Write(Arc::new(self.records)));
                if self.waiting.is_empty() {
                    effects.push(Effect::Sync);
                }
                self.waiting.push(call);
            }
            Input::Synced => {
                let answer: Payload = Arc::new(self.records);
                for call in self.waiting.drain(..) {
                    effects.push(Effect::Reply { call, payload: answer.clone() });
                }
            }
            Input::Tick if now.monotonic_ns >= self.next_tick_ns => {
                self.ticks += 1;
                self.next_tick_ns += 10 * MS;
            }
            Input::Tick | Input::Message { .. } => {}
        }
    }

    fn deadline_ns(&self) -> Option<u64> {
        Some(self.next_tick_ns)
    }
}

fn lab(seed: u64) -> SimulatedLab {
    let lab = SimulatedLab::new(2, &Settings::default(), seed).expect("good settings");
    for node in lab.nodes() {
        lab.install(node, Arc::new(|boot| counter(&boot)));
        lab.start(node);
    }
    lab
}

async fn ask(lab: &SimulatedLab, payload: Payload) -> Result<u64, CallError> {
    let answer = lab.call(N1, payload, 100 * MS).await?;
    Ok(*answer.downcast::<u64>().expect("a count"))
}

async fn count(lab: &SimulatedLab) -> Result<u64, CallError> {
    ask(lab, Arc::new(())).await
}

async fn sleep(lab: &SimulatedLab, duration_ns: u64) {
    lab.sleep_until(lab.now_ns() + duration_ns).await;
}

fn in_lab<F: Future>(scenario: impl FnOnce(SimulatedLab) -> F) -> F::Output {
    let lab = lab(1);
    lab.run(scenario(lab.clone())).expect("it does not stall")
}

#[test]
fn a_killed_process_keeps_its_disk_and_its_clients_are_told() {
    in_lab(|lab| async move {
        assert_eq!(count(&lab).await, Ok(1));
        let open = lab.call(N1, Arc::new(()), 100 * MS);
        sleep(&lab, 5 * MS).await;
        lab.kill(N1);
        assert_eq!(open.await.expect("answered before the kill").downcast_ref(), Some(&2_u64));
        assert_eq!(lab.state(N1), MachineState::Stopped);
        assert_eq!(count(&lab).await, Err(CallError::Refused));
        lab.start(N1);
        assert_eq!(count(&lab).await, Ok(3));
    });
}

#[test]
fn a_kill_with_a_request_open_resets_it() {
    in_lab(|lab| async move {
        lab.pause(N1);
        let open = lab.call(N1, Arc::new(()), 100 * MS);
        sleep(&lab, 10 * MS).await;
        lab.kill(N1);
        assert!(matches!(open.await, Err(CallError::Reset)));
    });
}

#[test]
fn a_machine_without_power_is_silent() {
    in_lab(|lab| async move {
        lab.crash(N1);
        let began_ns = lab.now_ns();
        assert_eq!(count(&lab).await, Err(CallError::Timeout));
        assert_eq!(lab.now_ns() - began_ns, 100 * MS);
        lab.start(N1);
        assert_eq!(lab.state(N1), MachineState::Running);
        assert!(count(&lab).await.is_ok());
    });
}

#[test]
fn a_paused_process_answers_later() {
    in_lab(|lab| async move {
        lab.pause(N1);
        assert_eq!(lab.state(N1), MachineState::Paused);
        let open = lab.call(N1, Arc::new(()), 100 * MS);
        sleep(&lab, 50 * MS).await;
        lab.resume(N1);
        assert!(open.await.is_ok());
        assert!(lab.now_ns() >= 50 * MS);
    });
}

#[test]
fn a_fast_clock_ticks_more_often() {
    in_lab(|lab| async move {
        sleep(&lab, 1_000 * MS).await;
        let before = ask(&lab, Arc::new(Ticks)).await.expect("it runs");
        lab.disturb_clock(N1, 7, ClockFault::Drift { ppm: 500_000 });
        sleep(&lab, 1_000 * MS).await;
        assert_eq!(lab.wall_clock_offset_ns(N1) / 1_000_000, 500);
        let during = ask(&lab, Arc::new(Ticks)).await.expect("it runs") - before;
        assert!((148..=152).contains(&during), "{during}");
        lab.restore_clock(N1, 7);
        assert_eq!(lab.wall_clock_offset_ns(N1), 0);
    });
}

#[test]
fn probes_see_what_impairments_do() {
    let link = Link { from: N1, to: N2 };
    let probe = |impairment: Impairment| {
        in_lab(|lab| async move {
            lab.impair_links(7, [link].into(), impairment);
            let impaired = lab.probe_link(link, 200, 200 * MS).await;
            lab.restore_links(7);
            let restored = lab.probe_link(link, 200, 200 * MS).await;
            assert_eq!((restored.arrived, restored.duplicates, restored.overtaken), (200, 0, 0));
            impaired
        })
    };
    let none = Impairment::default();
    assert_eq!(probe(Impairment { cut: true, ..none }).arrived, 0);
    assert!(probe(Impairment { loss_ppm: 500_000, ..none }).arrived < 150);
    assert!(probe(Impairment { duplicate_ppm: 500_000, ..none }).duplicates > 50);
    assert!(probe(Impairment { reorder_ppm: 900_000, ..none }).overtaken > 10);
    assert!(probe(Impairment { delay_us: 30_000, ..none }).mean_us > 30_000);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let trace = |seed| {
        let lab = lab(seed);
        let scenario = async {
            let mut trace = Vec::new();
            for _ in 0..50 {
                count(&lab).await.expect("it runs");
                trace.push(lab.now_ns());
            }
            trace
        };
        lab.run(scenario).expect("it does not stall")
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

#[test]
fn waiting_for_nothing_is_noticed() {
    let empty = SimulatedLab::new(1, &Settings::default(), 1).expect("good settings");
    assert!(empty.run(std::future::pending::<()>()).is_err());
}

#[test]
fn a_clock_that_changes_during_a_pause_does_not_stop_the_ticks_for_ever() {
    in_lab(|lab| async move {
        lab.pause(N1);
        lab.disturb_clock(N1, 7, ClockFault::Drift { ppm: 500_000 });
        lab.resume(N1);
        sleep(&lab, 1_000 * MS).await;
        let ticks = ask(&lab, Arc::new(Ticks)).await.expect("it runs");
        assert!((148..=152).contains(&ticks), "{ticks}");
    });
}

/// Keeps its clients waiting for ever.
struct Silent;

impl Program for Silent {
    fn step(&mut self, _: NodeTime, _: Input, _: &mut Vec<Effect>) {}

    fn deadline_ns(&self) -> Option<u64> {
        None
    }
}

#[test]
fn a_request_that_waited_out_a_pause_is_reset_when_the_process_then_dies() {
    let lab = SimulatedLab::new(1, &Settings::default(), 1).expect("good settings");
    lab.install(N1, Arc::new(|_| Box::new(Silent)));
    lab.start(N1);
    let scenario = async {
        lab.pause(N1);
        let open = lab.call(N1, Arc::new(()), 1_000 * MS);
        sleep(&lab, 10 * MS).await;
        lab.resume(N1);
        sleep(&lab, 10 * MS).await;
        lab.kill(N1);
        assert!(matches!(open.await, Err(CallError::Reset)));
        assert!(lab.now_ns() < 100 * MS, "told at once");
    };
    lab.run(scenario).expect("it does not stall");
}

#[test]
fn a_probe_ends_when_nothing_more_is_under_way() {
    in_lab(|lab| async move {
        let link = Link { from: N1, to: N2 };
        let began_ns = lab.now_ns();
        assert_eq!(lab.probe_link(link, 10, 60_000 * MS).await.arrived, 10);
        lab.impair_links(7, [link].into(), Impairment { cut: true, ..Impairment::default() });
        assert_eq!(lab.probe_link(link, 10, 60_000 * MS).await.arrived, 0);
        assert!(lab.now_ns() - began_ns < 20 * MS);
        let slow = Impairment { delay_us: 50_000, ..Impairment::default() };
        lab.restore_links(7);
        lab.impair_links(7, [link].into(), slow);
        let seen = lab.probe_link(link, 10, 20 * MS).await;
        assert_eq!((seen.arrived, seen.fastest_us), (0, 0), "it does not wait for longer");
        assert!(lab.probe_link(link, 10, 200 * MS).await.fastest_us >= 50_000);
    });
}

#[test]
fn an_alarm_that_was_overtaken_wakes_nobody() {
    in_lab(|lab| async move {
        let mut main = std::pin::pin!(async {
            for _ in 0..100 {
                let mut alarm = lab.sleep_until(lab.now_ns() + 50 * MS);
                std::future::poll_fn(|context| {
                    assert!(alarm.as_mut().poll(context).is_pending());
                    Poll::Ready(())
                })
                .await;
            }
            sleep(&lab, 100 * MS).await;
        });
        let mut polls = 0;
        std::future::poll_fn(|context| {
            polls += 1;
            main.as_mut().poll(context)
        })
        .await;
        assert!(polls <= 2, "polled {polls} times");
    });
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let problem = |nodes, json: &str| {
        let settings: Settings = serde_json::from_str(json).expect("the right form");
        SimulatedLab::new(nodes, &settings, 1).map(|_| ()).expect_err("the wrong figures")
    };
    assert_eq!(problem(0, "{}"), "expected 1 to 1000 nodes, found 0");
    assert_eq!(problem(70_000, "{}"), "expected 1 to 1000 nodes, found 70000");
    let huge = r#"{"disk": {"sync-max-us": 18446744073709551615}}"#;
    assert!(problem(3, huge).starts_with("expected a disk with sync-min-us <= sync-max-us"));
    let turned = r#"{"disk": {"sync-min-us": 500}}"#;
    assert!(problem(3, turned).ends_with("found 500 and 400"));
    let far = r#"{"network": {"client-latency": {"min-us": 1, "max-us": 18446744073709551615}}}"#;
    assert!(problem(3, far).starts_with("expected a latency"));
    let loss = r#"{"network": {"loss-ppm": 1000001}}"#;
    assert_eq!(problem(3, loss), "expected at most 1000000 parts per million, found 1000001");
}
