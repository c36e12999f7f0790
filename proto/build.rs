//! Compiles the schema: messages and services for tonic, and the descriptor set with our options in it.

use std::{env, fs, io, path::PathBuf};

use prost::Message as _;
use protox::Compiler;

const FILES: [&str; 8] = [
    "rollcall/provider/v1/access.proto",
    "rollcall/provider/v1/staff.proto",
    "rollcall/provider/v1/school.proto",
    "rollcall/provider/v1/student.proto",
    "rollcall/provider/v1/import.proto",
    "rollcall/provider/v1/log.proto",
    "rollcall/provider/v1/enrollment.proto",
    "rollcall/school/v1/receiver.proto",
];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=schema");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut compiler = Compiler::new(["schema"]).map_err(io::Error::other)?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(FILES).map_err(io::Error::other)?;
    // The raw bytes keep the extension `access`; decoding into prost-types would drop it.
    fs::write(out.join("schema.bin"), compiler.encode_file_descriptor_set())?;

    let set = compiler.file_descriptor_set();
    debug_assert!(set.encoded_len() > 0);
    let mut config = prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .bytes(".rollcall.provider.v1.StartImportRequest")
        .bytes(".rollcall.provider.v1.RosterChunk")
        .bytes(".rollcall.school.v1.RosterChunk")
        .skip_debug([
            ".rollcall.provider.v1.ClaimOwnerRequest",
            ".rollcall.provider.v1.LoginRequest",
            ".rollcall.provider.v1.SessionGrant",
            ".rollcall.provider.v1.CreateStaffRequest",
            ".rollcall.provider.v1.UpdateStaffRequest",
            ".rollcall.provider.v1.IssueCodeResponse",
            ".rollcall.provider.v1.ShowSecretOnceResponse",
            ".rollcall.provider.v1.RotateSecretResponse",
            ".rollcall.provider.v1.InspectRequest",
            ".rollcall.provider.v1.RedeemRequest",
            ".rollcall.provider.v1.RedeemResponse",
            ".rollcall.provider.v1.ConfirmRequest",
            ".rollcall.provider.v1.PullSecretRequest",
            ".rollcall.provider.v1.PullSecretResponse",
            ".rollcall.provider.v1.ConfirmSecretRequest",
            ".rollcall.school.v1.InstallSecretRequest",
        ])
        .compile_fds_with_config(set, config)
}
