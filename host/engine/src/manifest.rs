//! A plugin's own words about itself, checked.

use wasmill_core::{Field, FieldKind, Lookup, Path};

use crate::abi;
use crate::contract::Kinds;

/// Fields that a plugin may read, and that it may write.
pub const FIELDS_MAX: usize = 256;
/// Bytes of a plugin's name and of its version.
const NAME_BYTES_MAX: usize = 64;

/// What a plugin reads and writes.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) reads: Vec<Field>,
    pub(crate) writes: Vec<(Path, FieldKind)>,
    /// The schema version of its state.
    pub(crate) state: Option<u32>,
}

impl Manifest {
    /// Checks what `configure` answered.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub(crate) fn check(manifest: &abi::Manifest, kinds: Kinds) -> Result<Self, String> {
        check_word("name", &manifest.name)?;
        check_word("version", &manifest.version)?;
        for (what, fields) in [("reads", &manifest.reads), ("writes", &manifest.writes)] {
            if fields.len() > FIELDS_MAX {
                return Err(format!("it {what} {} fields; at most {FIELDS_MAX} are allowed", fields.len()));
            }
        }
        let reads = manifest.reads.iter().map(|field| read(field, kinds)).collect::<Result<_, _>>()?;
        let writes = manifest.writes.iter().map(|field| write(field, kinds)).collect::<Result<Vec<_>, _>>()?;
        check_apart(&writes)?;
        let state = manifest.state.map(|schema| schema.version);
        if state.is_some() && !kinds.is_one() {
            return Err(format!(
                "it keeps state and is a {kinds}; a plugin with state is of one kind, since each goes by itself"
            ));
        }
        Ok(Self { name: manifest.name.clone(), version: manifest.version.clone(), reads, writes, state })
    }
}

fn check_word(what: &str, word: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    if word.is_empty() || word.len() > NAME_BYTES_MAX || !word.chars().all(fits) {
        let shown: String = word.chars().take(NAME_BYTES_MAX).collect();
        return Err(format!(
            "its {what} is {shown:?}; it must have 1 to {NAME_BYTES_MAX} letters, digits, hyphens, underscores, dots or pluses"
        ));
    }
    Ok(())
}

fn read(field: &abi::Field, kinds: Kinds) -> Result<Field, String> {
    if field.required && !kinds.validator {
        return Err(format!("it requires \"{}\", and only a validator may require a field", field.path));
    }
    let kind = kind(field.kind);
    let lookup = field.lookup.map(|lookup| look_up(lookup, kind, field)).transpose()?;
    let path = match (kind, field.path.as_str()) {
        (FieldKind::Raw, "") => None,
        (FieldKind::Raw, path) => {
            return Err(format!("its field \"{path}\" is of kind raw, which has an empty path"));
        }
        (_, path) => Some(path.parse().map_err(|error| format!("{error}"))?),
    };
    Ok(Field { path, kind, required: field.required, lookup })
}

/// An answer is a text that may be absent.
fn look_up(lookup: abi::Lookup, kind: FieldKind, field: &abi::Field) -> Result<Lookup, String> {
    if kind != FieldKind::Text || field.required {
        return Err(format!("it looks \"{}\" up; the field must be of kind text, and not required", field.path));
    }
    match lookup {
        abi::Lookup::ReverseDns => Ok(Lookup::ReverseDns),
    }
}

fn write(field: &abi::Field, kinds: Kinds) -> Result<(Path, FieldKind), String> {
    if !kinds.enricher {
        return Err(format!("it writes \"{}\", and only an enricher may write fields", field.path));
    }
    if field.required {
        return Err(format!("it requires \"{}\" to be written; only read fields can be required", field.path));
    }
    if field.lookup.is_some() {
        return Err(format!("it writes \"{}\" as a look-up; only read fields can be looked up", field.path));
    }
    let path: Path = field.path.parse().map_err(|error| format!("{error}"))?;
    match kind(field.kind) {
        FieldKind::Raw => Err(format!("it writes \"{path}\" as kind raw; write json instead")),
        kind => Ok((path, kind)),
    }
}

/// No path is written twice, or below another written path: their order would decide.
fn check_apart(writes: &[(Path, FieldKind)]) -> Result<(), String> {
    for (n, (path, _)) in writes.iter().enumerate() {
        for (other, _) in &writes[..n] {
            if path == other || path.is_ancestor_of(other) || other.is_ancestor_of(path) {
                return Err(format!("it writes both \"{other}\" and \"{path}\", which overlap"));
            }
        }
    }
    Ok(())
}

fn kind(kind: abi::FieldKind) -> FieldKind {
    match kind {
        abi::FieldKind::Text => FieldKind::Text,
        abi::FieldKind::Integer => FieldKind::Integer,
        abi::FieldKind::Float => FieldKind::Float,
        abi::FieldKind::Boolean => FieldKind::Boolean,
        abi::FieldKind::Json => FieldKind::Json,
        abi::FieldKind::Raw => FieldKind::Raw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENRICHER: Kinds = Kinds { validator: false, enricher: true, alerter: false };

    fn field(path: &str, kind: abi::FieldKind, required: bool) -> abi::Field {
        abi::Field { path: path.into(), kind, required, lookup: None }
    }

    fn check(reads: Vec<abi::Field>, writes: Vec<abi::Field>, kinds: Kinds) -> Result<Manifest, String> {
        let manifest = abi::Manifest { name: "a-b".into(), version: "0.1.0".into(), reads, writes, state: None };
        Manifest::check(&manifest, kinds)
    }

    #[test]
    fn names_are_short_words() {
        let named = |name: &str| abi::Manifest {
            name: name.into(),
            version: "1".into(),
            reads: Vec::new(),
            writes: Vec::new(),
            state: None,
        };
        assert!(Manifest::check(&named(&"n".repeat(64)), ENRICHER).is_ok());
        for name in ["", "a b", "a\n", &"n".repeat(65)] {
            assert!(Manifest::check(&named(name), ENRICHER).is_err(), "{name:?}");
        }
    }

    #[test]
    fn only_validators_require_and_only_enrichers_write() {
        let text = abi::FieldKind::Text;
        let validator = Kinds { validator: true, ..Kinds::default() };
        assert!(check(vec![field("a", text, true)], vec![], validator).is_ok());
        assert!(check(vec![field("a", text, true)], vec![], ENRICHER).is_err());
        assert!(check(vec![], vec![field("a", text, false)], ENRICHER).is_ok());
        assert!(check(vec![], vec![field("a", text, false)], validator).is_err());
    }

    #[test]
    fn raw_is_read_without_a_path_and_never_written() {
        let raw = abi::FieldKind::Raw;
        assert!(check(vec![field("", raw, false)], vec![], ENRICHER).is_ok());
        assert!(check(vec![field("a", raw, false)], vec![], ENRICHER).is_err());
        assert!(check(vec![], vec![field("a", raw, false)], ENRICHER).is_err());
    }

    #[test]
    fn look_ups_are_texts_that_are_read_and_may_be_absent() {
        let of = |kind, required| abi::Field { lookup: Some(abi::Lookup::ReverseDns), ..field("a", kind, required) };
        let validator = Kinds { validator: true, ..Kinds::default() };
        let text = abi::FieldKind::Text;
        let checked = check(vec![of(text, false)], vec![], ENRICHER).unwrap();
        assert_eq!(checked.reads[0].lookup, Some(Lookup::ReverseDns));
        assert!(check(vec![of(text, true)], vec![], validator).is_err());
        assert!(check(vec![of(abi::FieldKind::Json, false)], vec![], ENRICHER).is_err());
        assert!(check(vec![], vec![of(text, false)], ENRICHER).is_err());
    }

    #[test]
    fn written_paths_do_not_overlap() {
        let text = |path| field(path, abi::FieldKind::Text, false);
        assert!(check(vec![], vec![text("a.b"), text("a.c")], ENRICHER).is_ok());
        for pair in [["a", "a"], ["a", "a.b"], ["a.b.c", "a.b"]] {
            assert!(check(vec![], pair.map(text).to_vec(), ENRICHER).is_err(), "{pair:?}");
        }
    }

    #[test]
    fn fields_are_limited_in_number() {
        let fields = |n: usize| (0..n).map(|n| field(&format!("f{n}"), abi::FieldKind::Text, false)).collect();
        assert!(check(fields(FIELDS_MAX), vec![], ENRICHER).is_ok());
        assert!(check(fields(FIELDS_MAX + 1), vec![], ENRICHER).is_err());
    }
}
