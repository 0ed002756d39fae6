#[derive(wasmill_sdk::Fields)]
struct Log {
    n: i64,
}

struct Config;

#[wasmill_sdk::validator]
fn judge(log: Log, config: &Config) -> wasmill_sdk::Verdict {
    wasmill_sdk::Verdict::pass()
}

fn main() {}
