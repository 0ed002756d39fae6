#[derive(wasmill_sdk::Fields)]
struct Log<'a, 'b> {
    severity: &'a str,
    message: &'b str,
}

fn main() {}
