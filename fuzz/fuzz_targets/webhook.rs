#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mercurious_properties::webhook(data));
