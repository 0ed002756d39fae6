#[derive(wasmill_sdk::Fields)]
struct Log {
    n: i64,
}

#[wasmill_sdk::validator]
fn judge(log: Log) -> bool {
    log.n > 0
}

fn main() {}
