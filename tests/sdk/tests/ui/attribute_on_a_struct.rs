#[wasmill_sdk::validator]
struct Log;

fn main() {}
