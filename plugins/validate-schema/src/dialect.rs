//! Which keywords mean something: those of 2020-12, or of the vocabularies that a metaschema among the given schemas names.

use crate::documents::{Documents, Place};
use crate::tape::Kind;

/// The dialect that this plugin is about.
pub(crate) const METASCHEMA: &str = "https://json-schema.org/draft/2020-12/schema";
const VOCABULARY: &str = "https://json-schema.org/draft/2020-12/vocab/";

/// Groups of keywords, as vocabularies have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) has_applicators: bool,
    pub(crate) has_unevaluated: bool,
    pub(crate) has_validation: bool,
    pub(crate) asserts_formats: bool,
}

impl Dialect {
    /// The dialect of a document.
    ///
    /// # Errors
    /// The rest of a sentence that begins with the document's name.
    pub(crate) fn of(documents: &Documents, root: Place, asserts_formats: bool) -> Result<Self, String> {
        let standard = Dialect { has_applicators: true, has_unevaluated: true, has_validation: true, asserts_formats };
        let json = documents.json(root.document);
        let named = json.get(root.node, "$schema").filter(|node| json.kind(*node) == Kind::Text);
        let Some(uri) = named.map(|node| json.text(node)) else { return Ok(standard) };
        if uri.trim_end_matches('#') == METASCHEMA {
            return Ok(standard);
        }
        let Some(metaschema) = documents.root(uri) else {
            return Err(format!(
                "`$schema` is `{uri}`, which is not among the given schemas; written for 2020-12 it would be `{METASCHEMA}`"
            ));
        };
        Self::of_metaschema(documents, metaschema, standard).map_err(|why| format!("`$schema` is `{uri}`, and {why}"))
    }

    fn of_metaschema(documents: &Documents, metaschema: Place, standard: Self) -> Result<Self, String> {
        let json = documents.json(metaschema.document);
        let vocabularies = json.get(metaschema.node, "$vocabulary").filter(|node| json.kind(*node) == Kind::Object);
        let Some(vocabularies) = vocabularies else { return Ok(standard) };
        let mut dialect = Dialect { has_applicators: false, has_unevaluated: false, has_validation: false, ..standard };
        for key in json.members(vocabularies) {
            let uri = json.text(key);
            match uri.strip_prefix(VOCABULARY) {
                Some("applicator") => dialect.has_applicators = true,
                Some("unevaluated") => dialect.has_unevaluated = true,
                Some("validation") => dialect.has_validation = true,
                Some("format-assertion") => dialect.asserts_formats = true,
                Some("core" | "meta-data" | "format-annotation" | "content") => {}
                _ if json.kind(key + 1) == Kind::True => {
                    return Err(format!("that needs the vocabulary `{uri}`, which this plugin does not know"));
                }
                _ => {}
            }
        }
        Ok(dialect)
    }
}
