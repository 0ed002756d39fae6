#[derive(wasmill_sdk::Fields)]
struct Log {
    #[field(raw)]
    payload: i64,
}

fn main() {}
