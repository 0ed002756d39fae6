#[derive(wasmill_sdk::Fields)]
struct Log {
    n: i64,
}

#[wasmill_sdk::alerter]
fn alert(log: Log) -> Vec<String> {
    vec![log.n.to_string()]
}

fn main() {}
