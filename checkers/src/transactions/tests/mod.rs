//! Against the definitions, and literal histories.

mod definition;
mod random;
mod small;
