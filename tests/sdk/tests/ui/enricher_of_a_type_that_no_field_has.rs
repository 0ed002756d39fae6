#[derive(wasmill_sdk::Output)]
struct Out {
    sum: u128,
}

fn main() {}
