#[derive(wasmill_sdk::Config)]
struct Config {
    #[config(range = 1..=9)]
    name: String,
}

fn main() {}
