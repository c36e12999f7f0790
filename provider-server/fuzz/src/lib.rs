//! The fuzz targets of `tests/it/fuzz`, out of the same files: what the tests check with changed inputs, libFuzzer checks
//! with inputs that it grows along the code they reach.

#[path = "../../tests/it/fuzz/address.rs"]
pub mod address;
#[path = "../../tests/it/fuzz/code.rs"]
pub mod code;
#[path = "../../tests/it/fuzz/config.rs"]
pub mod config;
#[path = "../../tests/it/fuzz/envelope.rs"]
pub mod envelope;
pub mod oneroster;
#[path = "../../tests/it/fuzz/retry_after.rs"]
pub mod retry_after;
#[path = "../../tests/it/fuzz/roster.rs"]
pub mod roster;
#[path = "../../tests/it/fuzz/signature.rs"]
pub mod signature;
