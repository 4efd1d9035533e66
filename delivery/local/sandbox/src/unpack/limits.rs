/// How much an image may ask of the disk. The defaults are generous: they stop bombs, not big images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpackLimits {
    /// Bytes of all layers of an image after decompression.
    pub total_bytes: u64,
    /// Entries of all layers of an image, with the directories that their paths imply.
    pub entries: u64,
    /// Bytes of one name or link target. Linux itself stops at 4096.
    pub name_bytes: usize,
    /// Bytes after decompression for each byte before it, per layer.
    pub ratio: u64,
    /// A layer may always grow to this many bytes, whatever its ratio: small layers of zeros are harmless.
    pub ratio_floor_bytes: u64,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self {
            total_bytes: 16 << 30,
            entries: 1_000_000,
            name_bytes: 4096,
            ratio: 500,
            ratio_floor_bytes: 256 << 20,
        }
    }
}
