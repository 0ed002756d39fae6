#[derive(wasmill_sdk::Fields)]
struct Log {
    status: Option<u16>,
}

fn main() {}
