#[derive(wasmill_sdk::Fields)]
struct Log<'a> {
    #[field(name = "source.ip")]
    ip: &'a str,
}

fn main() {}
