//! Where nodes live: today the simulated lab, in virtual time.
