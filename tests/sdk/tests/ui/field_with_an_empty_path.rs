#[derive(wasmill_sdk::Fields)]
struct Log<'a> {
    #[field(path = "")]
    ip: &'a str,
}

fn main() {}
