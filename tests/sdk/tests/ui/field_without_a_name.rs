#[derive(wasmill_sdk::Fields)]
struct Log<'a>(&'a str);

fn main() {}
