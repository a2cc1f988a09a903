//! Campaign files: tests with expectations.
//!
//! ```toml
//! [defaults]                    # settings of every test below
//! time-limit = "60s"
//! seeds = [1, 2, 3]
//!
//! [[test]]
//! name = "failover"
//! store = { kind = "replica", acknowledge = "async" }
//! workload = "register"         # or a table: { kind = "register", keys = 3 }
//! nemesis = ["partition:primaries", "kill"]
//! expect = { violations = ["lost-write", "linearizable"], known = ["monotonic-reads"] }
//!
//! [[test]]                      # one test for each combination
//! matrix.nemesis = [["partition"], ["kill"], ["pause"]]
//! store = { kind = "replica" }
//! expect = { models = ["linearizable"] }
//! ```
//!
//! Keys are written as the command's flags are, with hyphens; the command's flags and `--set`
//! override what the file says. A key that nobody knows is an error with a suggestion.

mod duration;
mod lab_settings;
mod load;
mod plan;
mod settings;
mod suggest;

pub use duration::Duration;
pub use lab_settings::LabSettings;
pub use load::{FIRST_LOOK, Overrides, RUNS_MAX, load};
pub use plan::{Campaign, OPERATIONS_MAX, TestPlan};
pub use settings::{Expectations, Named, PaceSettings, Scripted, TestSettings, Violation};
pub use suggest::nearest;
