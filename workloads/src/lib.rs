//! What clients do: generators, and which checkers judge them.
