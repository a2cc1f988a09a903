//! `history.arrow`.
