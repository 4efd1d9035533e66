// How names are compared. The build script, which writes the index, uses this file too.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// The name without case, accents and punctuation: `São João da Madeira` is `sao joao da madeira`.
pub(crate) fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut gap = false;
    for letter in name.nfkd().filter(|letter| !is_combining_mark(*letter)) {
        // Apostrophes of all kinds are left out; everything else that is no letter parts words.
        if matches!(letter, '\'' | '’' | '‘' | 'ʼ' | 'ʻ' | 'ʿ' | 'ʹ' | '`') {
            continue;
        }
        if !letter.is_alphanumeric() {
            gap = !plain.is_empty();
            continue;
        }
        if std::mem::take(&mut gap) {
            plain.push(' ');
        }
        match letter {
            'ß' | 'ẞ' => plain.push_str("ss"),
            'æ' | 'Æ' => plain.push_str("ae"),
            'œ' | 'Œ' => plain.push_str("oe"),
            'ø' | 'Ø' => plain.push('o'),
            'ł' | 'Ł' => plain.push('l'),
            'đ' | 'Đ' | 'ð' | 'Ð' => plain.push('d'),
            'þ' | 'Þ' => plain.push_str("th"),
            'ı' | 'İ' => plain.push('i'),
            other => plain.extend(other.to_lowercase()),
        }
    }
    plain
}
