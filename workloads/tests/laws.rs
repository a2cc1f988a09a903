//! Laws that every generator keeps, however combined: the simulator's referee looks at each step.
//! It refuses operations for busy processes, operations due in the future, waits that are over
//! already, and anything after done; [`HistoryBuilder`](perjury_history::HistoryBuilder) refuses
//! times that go back and processes that do two things at once.

use perjury_checkers::{Analysis, Context as Bounds, Judgement};
use perjury_history::HistoryBuilder;
use perjury_history::MicroOp;
use perjury_workloads::Generator;
use perjury_workloads::generator::{
    each_node, list, mix, operations, per_process, phases, repeat, rng, sleep,
};
use perjury_workloads::simulate::{Simulation, run_workload};
use perjury_workloads::{RunPlan, names, no_options, workload};
use proptest::prelude::*;

/// A generator as a value, so that proptest can print and shrink it.
#[derive(Clone, Debug)]
enum Plan {
    Endless,
    List(u8),
    EachNode(u8, bool),
    Sleep(u32),
    Rate(Box<Plan>, u16),
    Stagger(Box<Plan>, u16),
    TimeLimit(Box<Plan>, u32),
    OperationLimit(Box<Plan>, u8),
    Delay(Box<Plan>, u32),
    UntilOk(Box<Plan>),
    Repeat(Box<Plan>, Option<u8>),
    PerProcess(Box<Plan>),
    Mix(Vec<(u8, Plan)>),
    Phases(Vec<Plan>),
}

impl Plan {
    fn generator(&self, seed: u64) -> Box<dyn Generator> {
        let inner = |plan: &Plan| plan.generator(seed.wrapping_add(1));
        let read = |key: u8| vec![MicroOp::read(i64::from(key))];
        match self.clone() {
            Plan::Endless => operations(rng(seed, "endless"), move |_| read(0)).boxed(),
            Plan::List(count) => list((0..count).map(read)).boxed(),
            Plan::EachNode(count, patient) => {
                let questions: Vec<_> = (0..count % 8).map(read).collect();
                each_node(3, &questions, u64::from(patient) * 1_000_000_000).boxed()
            }
            Plan::Sleep(ns) => sleep(u64::from(ns)).boxed(),
            Plan::Rate(plan, hz) => inner(&plan).rate(f64::from(hz)).boxed(),
            Plan::Stagger(plan, hz) => {
                inner(&plan).stagger(f64::from(hz), rng(seed, "stagger")).boxed()
            }
            Plan::TimeLimit(plan, ns) => inner(&plan).time_limit(u64::from(ns)).boxed(),
            Plan::OperationLimit(plan, limit) => {
                inner(&plan).operation_limit(u64::from(limit)).boxed()
            }
            Plan::Delay(plan, ns) => inner(&plan).delay(u64::from(ns)).boxed(),
            Plan::UntilOk(plan) => inner(&plan).until_ok().boxed(),
            Plan::Repeat(plan, times) => {
                repeat(times.map(u64::from), move |round| plan.generator(seed ^ round)).boxed()
            }
            Plan::PerProcess(plan) => {
                per_process(move |thread| plan.generator(seed ^ u64::from(thread))).boxed()
            }
            Plan::Mix(plans) => {
                let parts = plans.iter().map(|(weight, plan)| (f64::from(*weight), inner(plan)));
                mix(rng(seed, "mix"), parts).boxed()
            }
            Plan::Phases(plans) => phases(plans.iter().map(inner)).boxed(),
        }
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let leaves = prop_oneof![
        Just(Plan::Endless),
        any::<u8>().prop_map(Plan::List),
        any::<(u8, bool)>().prop_map(|(count, patient)| Plan::EachNode(count, patient)),
        (0..50_000_000u32).prop_map(Plan::Sleep),
    ];
    leaves.prop_recursive(5, 24, 4, |inner| {
        let one = || inner.clone().prop_map(Box::new);
        let ns = || 0..100_000_000u32;
        prop_oneof![
            (one(), 0..5_000u16).prop_map(|(plan, hz)| Plan::Rate(plan, hz)),
            (one(), 0..5_000u16).prop_map(|(plan, hz)| Plan::Stagger(plan, hz)),
            (one(), ns()).prop_map(|(plan, ns)| Plan::TimeLimit(plan, ns)),
            (one(), any::<u8>()).prop_map(|(plan, limit)| Plan::OperationLimit(plan, limit)),
            (one(), ns()).prop_map(|(plan, ns)| Plan::Delay(plan, ns)),
            one().prop_map(Plan::UntilOk),
            (one(), prop::option::of(0..4u8)).prop_map(|(plan, times)| Plan::Repeat(plan, times)),
            one().prop_map(Plan::PerProcess),
            prop::collection::vec((0..4u8, inner.clone()), 0..4).prop_map(Plan::Mix),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Plan::Phases),
        ]
    })
}

fn simulations() -> impl Strategy<Value = Simulation> {
    (any::<u64>(), 1..6u32, 0..5_000_000u64, 0.0..0.4, 0.0..0.4).prop_map(
        |(seed, concurrency, latency_ns_min, info_share, fail_share)| Simulation {
            seed,
            concurrency,
            nodes: 3,
            latency_ns_min,
            latency_ns_max: latency_ns_min * 2,
            info_share,
            fail_share,
            ..Simulation::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn generators_keep_the_rules(plan in plans(), simulation in simulations(), seed: u64) {
        // Plans may be endless: limited in time and number, everything ends.
        let make = || plan.generator(seed).operation_limit(500).time_limit(2_000_000_000);
        let run = || {
            let mut simulator = simulation.clone().start();
            simulator.run(&mut make()).map(|()| simulator.entries().to_vec())
        };
        let entries = run().map_err(|broken| TestCaseError::fail(broken.to_string()))?;
        prop_assert!(entries.len() <= 2 * 500);
        prop_assert_eq!(entries, run().expect("the same run"), "the same seeds, another history");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Every workload keeps the rules, does the same again with the same seed, and finds nothing
    /// wrong with a perfect store, whatever fails and whatever stays unknown.
    #[test]
    fn workloads_keep_the_rules_and_accuse_nobody(simulation in simulations(), seed: u64) {
        for name in names() {
            let workload = workload(name, no_options()).expect("it exists");
            let plan = RunPlan {
                seed,
                rate_hz: 500.0,
                time_limit_ns: 2_000_000_000,
                operation_limit: None,
                concurrency: simulation.concurrency,
                nodes: simulation.nodes,
            };
            let run = || run_workload(&*workload, &plan, simulation.clone());
            let entries = run().map_err(|broken| TestCaseError::fail(format!("{name}: {broken}")))?;
            prop_assert_eq!(&entries, &run().expect("the same run"), "{}: another history", name);
            let mut builder = HistoryBuilder::new();
            for entry in entries {
                builder.push(entry).expect("well formed");
            }
            let analysis = Analysis::of(&builder.finish(), &workload.checkers(), &Bounds::default());
            let anomaly = analysis.anomalies().next();
            prop_assert!(anomaly.is_none(), "{}: {:?}", name, anomaly);
            prop_assert!(analysis.judgement() != Judgement::Invalid, "{}: {:?}", name, analysis);
        }
    }
}
