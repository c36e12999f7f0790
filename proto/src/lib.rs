//! What provider, school and consoles must agree on, and nothing else: the gRPC schema, the webhook contract,
//! the enrollment code, the roster digest, the files of OneRoster, the cells of
//! a CSV and the typed ids; and what their gRPC servers bound connections and messages with.

pub mod access;
pub mod cell;
pub mod digest;
pub mod enrollment;
pub mod id;
pub mod incoming;
pub mod json;
pub mod oneroster;
pub mod oversize;
pub mod pinned;
pub mod violations;
pub mod webhook;

/// The gRPC schema of the provider's service.
pub mod provider {
    #[allow(missing_docs, clippy::all)]
    pub mod v1 {
        tonic::include_proto!("rollcall.provider.v1");
    }
}

/// The gRPC schema of the school's receiver.
pub mod school {
    #[allow(missing_docs, clippy::all)]
    pub mod v1 {
        tonic::include_proto!("rollcall.school.v1");
    }
}

/// The compiled schema as an encoded `FileDescriptorSet`, with source comments and our options.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/schema.bin"));
