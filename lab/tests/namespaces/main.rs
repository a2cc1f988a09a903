//! Labs of namespaces, for real: they need root and what `scripts/install-lab` installs. Where that
//! is not given, each test says so and proves nothing.

mod fixture;
mod labs;
mod locks;
mod machines;
mod nodes;
