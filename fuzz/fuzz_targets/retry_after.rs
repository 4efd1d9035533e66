#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mercurious_properties::retry_after(data));
