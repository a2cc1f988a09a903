//! Panics of checkers, stores and pages: each costs what it was about, and nothing else.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Error;

/// Does `work`. A panic in it becomes an error that says `what` panicked, and why. Callers drop
/// whatever `work` may have left half done.
///
/// # Errors
/// If `work` panics.
pub fn caught<T>(what: &str, work: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        Error::failure(format!("{what} panicked: {}", message(payload.as_ref())))
            .hint("this is a defect, not a finding: please report it with the run's folder")
    })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_keeps_its_message() {
        let name = "plain";
        let works: [&dyn Fn(); 2] = [&|| panic!("plain"), &|| panic!("{name}")];
        for work in works {
            let error = caught("the work", work).expect_err("it panics");
            assert_eq!(error.message, "the work panicked: plain");
        }
        assert_eq!(caught("the work", || 3).ok(), Some(3));
    }
}
