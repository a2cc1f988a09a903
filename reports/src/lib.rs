//! What people read: the HTML page of a run and the index page of a campaign.
//!
//! Each page is one file that opens from `file://`: styles, scripts, figures and data are inside,
//! nothing is loaded from anywhere. The verdict stands first, as a sentence; then every anomaly with
//! its evidence drawn; then what happened around it.
//!
//! ```
//! use perjury_checkers::Analysis;
//! use perjury_history::History;
//! use perjury_reports::{RunFacts, RunReport, run_page};
//!
//! let history = History::parse_notation("p0: w(x,1)--  r(x)=1--")?;
//! let page = run_page(&RunReport {
//!     title: "register",
//!     history: &history,
//!     analysis: &Analysis::default(),
//!     facts: &RunFacts::default(),
//! })?;
//! assert!(page.starts_with("<!doctype html>"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariants
//! - Values in, a string out: no files, no clock, no randomness. The same input gives the same page.
//! - Whatever a database, a user or a lab wrote is escaped: in HTML and SVG by `escape::write_html`
//!   (which is also the templates' escape function), in embedded JSON by `escape::json_script`.
//!   The only strings that bypass it (`| safe`) are our own assets and those two functions' results.
//! - A page loads nothing: its Content-Security-Policy forbids it, and a test looks for addresses.
//! - Figures that a reader needs as evidence are SVG made here, so that they print and work without
//!   scripts; the timeline of all operations and the plots are drawn by `assets/*.js` on canvas.
//!
//! Start reading at [`run_page()`]; [`RunReport`] is what it takes.

mod anomalies;
mod campaign_page;
mod diagram;
mod error;
mod escape;
mod facts;
mod faults;
mod format;
mod leadership;
mod operation_text;
mod run_page;
mod scale;
mod sentence;
mod series;
mod strip;
mod svg;
mod tables;
mod templates;
mod timeline;

pub use campaign_page::{CampaignFacts, CampaignRow, campaign_page};
pub use error::ReportError;
pub use facts::{BoundsFacts, ExpectationResult, LogFacts, RunFacts, RunReport, SuspiciousFacts};
pub use run_page::run_page;
pub use sentence::summary_sentence;
