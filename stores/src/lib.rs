//! Systems under test, each with its installation and its client.
