//! A replicated store with every textbook mode, right and wrong, as a sans-IO state machine.
