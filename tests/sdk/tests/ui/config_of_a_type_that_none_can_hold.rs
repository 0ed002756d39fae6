#[derive(wasmill_sdk::Config)]
struct Config {
    pause: std::time::Duration,
}

fn main() {}
