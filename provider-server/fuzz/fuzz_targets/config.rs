#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| provider_server_fuzz::config::check(input));
