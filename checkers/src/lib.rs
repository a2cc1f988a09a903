//! Was it allowed: pure functions from a history to a verdict.
