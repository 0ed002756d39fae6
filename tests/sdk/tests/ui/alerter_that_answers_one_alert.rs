#[derive(wasmill_sdk::Fields)]
struct Log {
    n: i64,
}

#[wasmill_sdk::alerter]
fn alert(log: Log) -> wasmill_sdk::Alert {
    wasmill_sdk::Alert::new("many", log.n.to_string(), wasmill_sdk::Severity::Info, "too many")
}

fn main() {}
