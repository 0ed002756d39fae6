#[derive(wasmill_sdk::Fields)]
struct Log {
    n: i64,
}

struct Out {
    sum: i64,
}

#[wasmill_sdk::enricher]
fn enrich(log: Log) -> Out {
    Out { sum: log.n }
}

fn main() {}
