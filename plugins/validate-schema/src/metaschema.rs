//! The schema of schemas. Its documents are those of json-schema.org, which gives them out under the BSD licence.

use crate::documents::Documents;

const DOCUMENTS: [(&str, &str); 9] = [
    ("schema", include_str!("metaschema/schema.json")),
    ("meta/core", include_str!("metaschema/core.json")),
    ("meta/applicator", include_str!("metaschema/applicator.json")),
    ("meta/unevaluated", include_str!("metaschema/unevaluated.json")),
    ("meta/validation", include_str!("metaschema/validation.json")),
    ("meta/meta-data", include_str!("metaschema/meta-data.json")),
    ("meta/format-annotation", include_str!("metaschema/format-annotation.json")),
    ("meta/format-assertion", include_str!("metaschema/format-assertion.json")),
    ("meta/content", include_str!("metaschema/content.json")),
];

/// Adds the documents, to which schemas may refer too.
///
/// # Errors
/// None that could happen: they are constants.
pub(crate) fn add_to(documents: &mut Documents) -> Result<(), String> {
    for (path, text) in DOCUMENTS {
        let uri = format!("https://json-schema.org/draft/2020-12/{path}");
        documents.add(format!("`{uri}`"), &uri, text.to_owned())?;
    }
    Ok(())
}
