#[derive(wasmill_sdk::Fields)]
struct Log {
    n: i64,
}

#[wasmill_sdk::validator]
fn one(_log: Log) -> wasmill_sdk::Verdict {
    wasmill_sdk::Verdict::pass()
}

#[wasmill_sdk::alerter]
fn two(_log: Log) -> Option<wasmill_sdk::Alert> {
    None
}

fn main() {}
