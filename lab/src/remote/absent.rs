//! A machine that is known not to be there.

use async_trait::async_trait;

use super::call::Input;
use super::guard::Elevation;
use super::transfer::Carrier;
use super::{Command, Output, RemoteError};

/// Answers everything with why it cannot be reached, so that one such machine keeps nobody from a
/// look at the others.
pub(crate) struct AbsentRemote {
    pub(crate) node: String,
    pub(crate) error: RemoteError,
}

#[async_trait]
impl Carrier for AbsentRemote {
    fn node(&self) -> &str {
        &self.node
    }

    fn elevation(&self) -> Elevation {
        Elevation::None
    }

    async fn carry(
        &self,
        _command: &Command,
        _input: Input<'_>,
        _sink: &mut (dyn for<'a> FnMut(&'a [u8]) + Send),
    ) -> Result<Output, RemoteError> {
        Err(self.error.clone())
    }
}
