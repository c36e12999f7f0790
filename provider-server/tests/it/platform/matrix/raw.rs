//! Any rpc by its path, with a message made of JSON.

use bytes::{Buf as _, BufMut as _};
use prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    transport::Channel,
};

/// Messages as they are on the wire.
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}

/// What a call came to: its code, and what people are told.
pub type Answer = (Code, String);

/// Calls an rpc with one message; `token` is empty for none. A stream that does not end by itself is left after its
/// start.
pub async fn call(channel: &Channel, method: &MethodDescriptor, json: &str, token: &str, is_endless: bool) -> Answer {
    let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let message = DynamicMessage::deserialize(method.input(), json);
    let message = message.unwrap_or_else(|error| panic!("{}: {error}", method.full_name()));
    let mut request = Request::new(tokio_stream::once(message.encode_to_vec()));
    if !token.is_empty() {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("a token is ASCII"));
    }
    let path: PathAndQuery =
        format!("/{}/{}", method.parent_service().full_name(), method.name()).parse().expect("a path");
    let mut client = Grpc::new(channel.clone());
    client.ready().await.expect("connected");
    let ended = async {
        let mut answers = client.streaming(request, path, Raw).await?.into_inner();
        while !is_endless && answers.message().await?.is_some() {}
        Ok::<_, Status>(())
    };
    match ended.await {
        Ok(()) => (Code::Ok, String::new()),
        Err(status) => (status.code(), status.message().to_owned()),
    }
}
