#[derive(wasmill_sdk::Fields)]
struct Log {
    n: i64,
}

#[derive(wasmill_sdk::Config)]
struct Config {
    limit: i64,
}

#[wasmill_sdk::validator]
fn judge(log: Log, config: Config) -> wasmill_sdk::Verdict {
    wasmill_sdk::Verdict::pass()
}

fn main() {}
