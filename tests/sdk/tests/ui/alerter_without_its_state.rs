#[derive(wasmill_sdk::Fields)]
struct Log {
    n: i64,
}

#[wasmill_sdk::alerter(state = 1)]
fn alert(events: wasmill_sdk::Events<'_, Log>) -> Vec<(u32, wasmill_sdk::Alert)> {
    Vec::new()
}

fn main() {}
