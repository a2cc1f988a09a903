//! The command on real machines: a lab of namespaces, real servers, real faults. As root on Linux;
//! elsewhere each test says "skipped:" and why.

mod bad_labs;
mod faults;
mod lab;
#[path = "../command/support.rs"]
mod support;
