//! How the OpenAPI document describes what no Rust type of ours describes well.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// Bytes that are sent as they are, such as a recording. As a list of numbers no generated client could send or take
/// them.
pub struct Bytes;

impl PartialSchema for Bytes {
    fn schema() -> RefOr<Schema> {
        RefOr::T(Schema::Object(bytes()))
    }
}

impl ToSchema for Bytes {}

/// The schema of bytes. OpenAPI 3.1 names their media type, and older tools know only the format.
pub fn bytes() -> Object {
    bytes_builder("application/octet-stream").build()
}

/// The schema of bytes that are a transcript.
pub fn transcript() -> Object {
    bytes_builder("text/vtt").description(Some("`WebVTT`, `SubRip`, text with speakers, the JSON of a provider of speech to text, or a Word document of Teams.")).build()
}

/// The schema of bytes that are a recording.
pub fn recording() -> Object {
    let description = "wav, mp3, m4a/mp4, flac, ogg/opus or webm.";
    bytes_builder("application/octet-stream").description(Some(description)).build()
}

fn bytes_builder(media_type: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .content_media_type(media_type)
}
