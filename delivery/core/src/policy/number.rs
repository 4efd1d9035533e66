/// Reads a number as Go's `strconv.ParseFloat(text, 64)` does; nothing if Go reports an error.
///
/// Go reads decimal and hexadecimal floating-point numbers, `inf`, `infinity` and `nan` in any case, and single
/// underscores between digits; what is too large for 64 bits is an error, what is too small is zero.
pub(super) fn parse(text: &str) -> Option<f64> {
    let (negative, magnitude) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if text.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    let is_infinite = ["inf", "infinity"].iter().any(|name| magnitude.eq_ignore_ascii_case(name));
    let value = if is_infinite {
        f64::INFINITY
    } else {
        let digits = without_underscores(magnitude)?;
        match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(digits) => hexadecimal(digits)?,
            None => decimal(&digits)?,
        }
    };
    Some(if negative { -value } else { value })
}

/// Takes underscores out where each stands between two digits; the prefix `0x` counts as a digit.
fn without_underscores(text: &str) -> Option<String> {
    let is_hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    let is_digit = |byte: u8| {
        if is_hexadecimal { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() }
    };
    let bytes = text.as_bytes();
    for (index, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_') {
        let after_prefix = is_hexadecimal && index == 2;
        let follows = after_prefix || index > 0 && is_digit(bytes[index - 1]);
        if !follows || !bytes.get(index + 1).copied().is_some_and(is_digit) {
            return None;
        }
    }
    Some(text.replace('_', ""))
}

fn decimal(text: &str) -> Option<f64> {
    // The standard library also reads names, which were dealt with, and a second sign.
    let plain =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    if !text.bytes().all(plain) || text.starts_with(['+', '-']) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// `1.8p-3`: the digits after `0x`; the exponent, of two, is required.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().next().is_none() || !digits().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = unsigned.parse::<i64>().unwrap_or(i64::MAX).min(1 << 32);
    let exponent = if exponent.starts_with('-') { -magnitude } else { magnitude };

    // Sixteen significant digits are kept; of the others it matters only whether one is not zero.
    let mut bits = 0_u64;
    let mut dropped = 0_i64;
    let mut inexact = false;
    for byte in digits() {
        let digit = u64::from(char::from(byte).to_digit(16)?);
        if bits >> 60 == 0 {
            bits = bits << 4 | digit;
        } else {
            dropped += 1;
            inexact |= digit != 0;
        }
    }
    let scale = exponent + 4 * (dropped - i64::try_from(fraction.len()).ok()?);
    round(bits, scale, inexact)
}

/// The number nearest to `bits * 2^scale`, ties to even; nothing if it is too large.
fn round(bits: u64, scale: i64, inexact: bool) -> Option<f64> {
    const FRACTION_BITS: i64 = 52;
    const SMALLEST_NORMAL: i64 = -1022;
    const LARGEST: i64 = 1023;

    if bits == 0 {
        return Some(0.0);
    }
    let shift = bits.leading_zeros();
    let bits = bits << shift;
    // The exponent of the leading bit.
    let leading = scale - i64::from(shift) + 63;
    if leading > LARGEST {
        return None;
    }
    let kept = (FRACTION_BITS + 1 - (SMALLEST_NORMAL - leading).max(0)).max(-1);
    let lost = u32::try_from(64 - kept).ok()?;
    let wide = u128::from(bits);
    let mut mantissa = wide >> lost;
    let rest = wide & ((1 << lost) - 1);
    let half = 1_u128 << (lost - 1);
    if rest > half || rest == half && (inexact || mantissa & 1 == 1) {
        mantissa += 1;
    }
    // Adding, not masking: a mantissa that was rounded up to the next power carries into the exponent.
    let biased = u128::try_from((leading - SMALLEST_NORMAL).max(0)).ok()?;
    let encoded = u64::try_from((biased << FRACTION_BITS) + mantissa).ok()?;
    Some(f64::from_bits(encoded)).filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, value) in [
            ("0", 0.0),
            ("+5", 5.0),
            ("-6", -6.0),
            (".5", 0.5),
            ("1.", 1.0),
            ("1.e2", 100.0),
            ("1e3", 1000.0),
            ("1E+3", 1000.0),
            ("1_000", 1000.0),
            ("1e1_0", 1e10),
            ("1e-400", 0.0),
            ("0x1p-2", 0.25),
            ("0X_1.8P1", 3.0),
            ("-0x.8p+0", -0.5),
            ("0x0p99999999999999999999", 0.0),
            ("0x1p-1074", 5e-324),
            ("0x1p-1075", 0.0),
            ("0x1.0000000000000000001p-1075", 5e-324),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.000000000000080000000000001p0", 1.0 + f64::EPSILON),
            ("0x1.00000000000018p0", 1.0 + 2.0 * f64::EPSILON),
            ("0x0.fffffffffffff8p-1022", f64::MIN_POSITIVE),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
        ] {
            assert_eq!(parse(text), Some(value), "{text}");
        }
        assert!(parse("NaN").unwrap().is_nan());
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for bad in [
            "",
            " 5",
            "5 ",
            "a",
            ".",
            "+",
            "--1",
            "+-1",
            "1e",
            "1e+",
            "e5",
            "1.2.3",
            "1__0",
            "_1",
            "1_",
            "1_.5",
            "1e_5",
            "1_e5",
            "0x",
            "0x1",
            "0x.p1",
            "0x1p",
            "0x1p+",
            "0xp1",
            "0b1",
            "0o7",
            "1f",
            "+nan",
            "-nan",
            "infin",
            "inf1",
            "1e400",
            "0x1p1024",
            "0x1.fffffffffffff8p1023",
            "٣",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
