#[derive(wasmill_sdk::Fields)]
struct Log {
    severity: String,
}

fn main() {}
