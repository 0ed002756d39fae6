//! wasmill.
fn main() {}
