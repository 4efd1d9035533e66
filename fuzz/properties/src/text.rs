/// The lines of an input, where it is text.
pub(crate) fn lines(data: &[u8]) -> Option<std::str::Split<'_, char>> {
    Some(std::str::from_utf8(data).ok()?.split('\n'))
}

/// A message is one line that a terminal can be shown, and not longer than a person reads.
pub(crate) fn assert_fit_to_print(message: &str) {
    let bad = message.chars().find(|letter| letter.is_control());
    assert!(bad.is_none(), "a message holds {bad:?}: {message:?}");
    assert_short(message);
}

/// A message about what a person wrote may repeat it, but not without end.
pub(crate) fn assert_short(message: &str) {
    assert!(message.len() <= 4096, "a message of {} bytes: {message:.80}…", message.len());
}
