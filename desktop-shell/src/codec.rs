//! JSON ↔ messages by the schema alone: no code per rpc.

use prost::Message;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions};
use rollcall_proto::json::POOL;
use serde_json::Value;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use crate::{ErrorCode, ShellError};

/// The schema.
pub fn pool() -> &'static DescriptorPool {
    &POOL
}

/// Reads a message's JSON; unknown fields are refused, so that a typing error is not silently ignored.
///
/// # Errors
/// [`ErrorCode::InvalidArgument`] with the place, never with the value.
pub fn from_json(descriptor: &MessageDescriptor, json: &Value) -> Result<DynamicMessage, ShellError> {
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    DynamicMessage::deserialize_with_options(descriptor.clone(), json, &options).map_err(|error| {
        // The rest of these errors may quote a value.
        let words = error.to_string();
        let words = words.split(['\'', '"', '`', ':']).next().unwrap_or_default().trim();
        ShellError::new(ErrorCode::InvalidArgument, format!("this is not a {}: {words}", descriptor.name()))
    })
}

/// A message's JSON with every field, also the empty ones; 64-bit integers are texts, as proto JSON has them.
pub fn to_json(message: &DynamicMessage) -> Value {
    let options = SerializeOptions::new().skip_default_fields(false);
    message.serialize_with_options(serde_json::value::Serializer, &options).unwrap_or(Value::Null)
}

/// tonic's view of a method: any message in, an answer of this type out.
#[derive(Clone)]
pub struct DynamicCodec {
    answer: MessageDescriptor,
}

impl DynamicCodec {
    /// For a method that answers this type.
    pub fn answering(answer: MessageDescriptor) -> Self {
        Self { answer }
    }
}

impl Codec for DynamicCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = DynamicEncoder;
    type Decoder = DynamicDecoder;

    fn encoder(&mut self) -> DynamicEncoder {
        DynamicEncoder
    }

    fn decoder(&mut self) -> DynamicDecoder {
        DynamicDecoder { answer: self.answer.clone() }
    }
}

/// Writes any message.
pub struct DynamicEncoder;

impl Encoder for DynamicEncoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(|_| Status::resource_exhausted("the request is too large"))
    }
}

/// Reads messages of one type.
pub struct DynamicDecoder {
    answer: MessageDescriptor,
}

impl Decoder for DynamicDecoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let message = DynamicMessage::decode(self.answer.clone(), buffer);
        message.map(Some).map_err(|_| Status::unimplemented("the answer has another form"))
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::ReflectMessage;
    use serde_json::json;

    use super::*;

    fn student() -> MessageDescriptor {
        pool().get_message_by_name("rollcall.provider.v1.Student").expect("in the schema")
    }

    #[test]
    fn a_message_survives_json_and_shows_its_empty_fields() {
        let given = json!({"sourcedId": "S-1", "givenName": "Zoë", "grades": ["07"], "version": "9007199254740993",
                           "dateLastModified": "2026-01-02T03:04:05.678Z", "status": "STUDENT_STATUS_ACTIVE"});
        let message = from_json(&student(), &given).expect("valid");
        assert_eq!(message.descriptor().name(), "Student");
        let shown = to_json(&message);
        for (key, value) in given.as_object().expect("an object") {
            assert_eq!(&shown[key], value, "{key}");
        }
        assert_eq!(shown["familyName"], "");
        assert_eq!(shown["schoolEnrollments"], json!([]));
        assert_eq!(shown.get("middleName"), None, "an absent optional stays absent");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        for wrong in
            [json!({"sourcedID": "Canary"}), json!({"grades": "Canary"}), json!({"status": "Canary"}), json!(1)]
        {
            let error = from_json(&student(), &wrong).expect_err("refused");
            assert_eq!(error.code, ErrorCode::InvalidArgument);
            assert!(!error.message.contains("Canary"), "{error}");
        }
    }
}
