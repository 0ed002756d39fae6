#[derive(wasmill_sdk::Fields)]
struct Log {
    n: i64,
}

#[wasmill_sdk::validator]
async fn judge(log: Log) -> wasmill_sdk::Verdict {
    wasmill_sdk::Verdict::pass()
}

fn main() {}
