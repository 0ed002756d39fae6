//! Where compiled plugins are kept: by pipelines, and by the commands about one plugin.

use std::path::PathBuf;

use super::environment::Environment;

/// `wasmill/compiled` in the user's cache folder; `None` where there is no user.
pub fn compiled_folder(environment: &Environment) -> Option<PathBuf> {
    let absolute = |name| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("wasmill").join("compiled"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_in_what_the_user_names_as_cache_else_in_his_home_and_relative_paths_are_none() {
        let folder = |variables: &[(&str, &str)]| {
            let folder = compiled_folder(&variables.iter().copied().collect());
            folder.map(|folder| folder.display().to_string())
        };
        let (cache, home) = (("XDG_CACHE_HOME", "/c"), ("HOME", "/h"));
        assert_eq!(folder(&[cache, home]).as_deref(), Some("/c/wasmill/compiled"));
        assert_eq!(folder(&[("XDG_CACHE_HOME", ""), home]).as_deref(), Some("/h/.cache/wasmill/compiled"));
        assert_eq!(folder(&[("XDG_CACHE_HOME", "c"), ("HOME", "")]), None);
    }
}
