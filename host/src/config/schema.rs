//! The JSON Schema of a pipeline's file and of a plugin's sidecar, from the types that read them.

use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use serde_json::Value as Json;

use super::fixture::RawFixture;
use super::plugins::RawSidecar;
use super::raw::RawPipeline;

static PIPELINE: LazyLock<Json> = LazyLock::new(of::<RawPipeline>);
static SIDECAR: LazyLock<Json> = LazyLock::new(of::<RawSidecar>);
static FIXTURE: LazyLock<Json> = LazyLock::new(of::<RawFixture>);

/// The JSON Schema of a pipeline's file.
pub fn json_schema() -> &'static Json {
    &PIPELINE
}

/// The JSON Schema of the file beside a plugin.
pub(super) fn sidecar() -> &'static Json {
    &SIDECAR
}

/// The JSON Schema of a fixture of `wasmill test`.
pub(super) fn fixture() -> &'static Json {
    &FIXTURE
}

fn of<T: JsonSchema>() -> Json {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    without_null(&mut schema);
    schema.to_value()
}

/// A key is left out, never null: takes `null` out of every type, alternative and default.
fn without_null(schema: &mut schemars::Schema) {
    transform_subschemas(&mut without_null, schema);
    let Some(object) = schema.as_object_mut() else { return };
    if object.get("default").is_some_and(Json::is_null) {
        object.remove("default");
    }
    if let Some(Json::Array(types)) = object.get_mut("type") {
        types.retain(|word| word != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Json::Array(branches)) = object.get_mut("anyOf") {
        branches.retain(|branch| branch["type"] != "null");
        if let [Json::Object(only)] = branches.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            // The key's own description is nearer than its type's.
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
}
