#[derive(wasmill_sdk::Fields)]
struct Log {
    n: i64,
}

#[derive(wasmill_sdk::Output)]
struct Out<'a> {
    text: &'a str,
}

#[wasmill_sdk::enricher]
fn enrich<'a>(log: Log) -> Out<'a> {
    Out { text: &log.n.to_string() }
}

fn main() {}
