//! Names as they are written outside of Rust.

use syn::Ident;

/// A field's name without the mark of a keyword: `r#type` is `type`.
pub(crate) fn own_name(name: &Ident) -> String {
    let name = name.to_string();
    name.strip_prefix("r#").map_or(name.clone(), str::to_owned)
}

/// `EpochMs` to `epoch_ms`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (index, char) in name.chars().enumerate() {
        if char.is_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.extend(char.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_at_capitals() {
        assert_eq!(snake_case("EpochMs"), "epoch_ms");
        assert_eq!(snake_case("Low"), "low");
    }
}
