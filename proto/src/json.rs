//! Messages as canonical proto3 JSON, by the schema and without code per message: for `--json` and the consoles.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

/// The schema's descriptors, our options included.
pub static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(crate::DESCRIPTOR_SET).expect("the compiled schema decodes"));

/// The message as one JSON object with every field, also the empty ones, and 64-bit integers as numbers (ours stay
/// below 2^53).
pub fn to_json<M: Message + Name>(message: &M) -> serde_json::Value {
    let descriptor = POOL.get_message_by_name(&M::full_name()).expect("every generated message is in the pool");
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .expect("a message decodes by its own descriptor");
    let options = SerializeOptions::new().skip_default_fields(false).stringify_64_bit_integers(false);
    dynamic.serialize_with_options(serde_json::value::Serializer, &options).expect("a valid message has a JSON form")
}
