//! How long the certificates of a CA bundle are valid: the two dates of each, and nothing else of it.
//!
//! Just enough of DER for that (X.690, RFC 5280 section 4.1): what does not have this form is no certificate. Nothing is verified.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Longest bundle that is read, in bytes of base64; the certificates of all public authorities have some 300 KiB.
const LONGEST: usize = 1 << 20;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// From when and until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Not before.
    pub from: Timestamp,
    /// Not after.
    pub until: Timestamp,
}

impl Lifetime {
    /// Of the certificate of a bundle that is valid longest. `bundle` is PEM in base64, as `caBundle` is. `None` where no certificate can be read in it.
    pub fn of_bundle(bundle: &str) -> Option<Self> {
        if bundle.len() > LONGEST {
            return None;
        }
        let text = String::from_utf8(base64(bundle)?).ok()?;
        let blocks = text.split(BEGIN).skip(1).filter_map(|rest| rest.split_once(END));
        let certificates = blocks.filter_map(|(body, _)| Self::of_der(&base64(body)?));
        certificates.max_by_key(|lifetime| lifetime.until)
    }

    /// Of a certificate in DER.
    fn of_der(der: &[u8]) -> Option<Self> {
        const SEQUENCE: u8 = 0x30;
        const VERSION: u8 = 0xa0;
        let (certificate, _) = element(der, SEQUENCE)?;
        let (mut rest, _) = element(certificate, SEQUENCE)?;
        if let Some((_, after)) = element(rest, VERSION) {
            rest = after;
        }
        // Serial number, algorithm of the signature, issuer.
        for tag in [0x02, SEQUENCE, SEQUENCE] {
            (_, rest) = element(rest, tag)?;
        }
        let (validity, _) = element(rest, SEQUENCE)?;
        let (from, rest) = time(validity)?;
        let (until, _) = time(rest)?;
        Some(Self { from, until })
    }

    /// The moment from which it is near its end: the last tenth of its time, at most two weeks. What is renewed by itself is renewed before that.
    pub fn near_end(&self) -> Timestamp {
        const MOST: i64 = 14 * 24 * 3600;
        let whole = self.until.as_second().saturating_sub(self.from.as_second());
        let margin = (whole / 10).clamp(0, MOST);
        let second = self.until.as_second().saturating_sub(margin);
        Timestamp::from_second(second).unwrap_or(self.until)
    }
}

/// The content of an element with this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*length) {
        short @ 0..=0x7f => (short, rest),
        long @ 0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
            let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// A `UTCTime` or a `GeneralizedTime`, both without fractions and in UTC as RFC 5280 asks, and what follows it.
fn time(der: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (digits, rest) = element(der, 0x17).or_else(|| element(der, 0x18))?;
    let digits = std::str::from_utf8(digits).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = match digits.len() {
        // Two digits of a year: 50 to 99 are of the last century.
        12 if digits < "50" => format!("20{digits}"),
        12 => format!("19{digits}"),
        14 => digits.to_owned(),
        _ => return None,
    };
    let number = |from: usize, to: usize| digits[from..to].parse::<i8>().ok();
    let year = digits[..4].parse().ok()?;
    let date = DateTime::new(
        year,
        number(4, 6)?,
        number(6, 8)?,
        number(8, 10)?,
        number(10, 12)?,
        // A leap second is the one before it.
        number(12, 14)?.min(59),
        0,
    );
    let moment = date.ok()?.to_zoned(TimeZone::UTC);
    // 9999-12-31 means that it never ends, and is later than any moment here.
    Some((moment.map_or(Timestamp::MAX, |moment| moment.timestamp()), rest))
}

/// What base64 stands for, white space passed over.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for letter in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate with the fields before and with its dates.
    fn der(dates: &[u8]) -> Vec<u8> {
        let mut body = vec![0xa0, 3, 2, 1, 2, 0x02, 1, 7, 0x30, 0, 0x30, 0];
        body.extend([0x30, u8::try_from(dates.len()).unwrap()]);
        body.extend(dates);
        let length = u8::try_from(body.len()).unwrap();
        let mut whole = vec![0x30, length + 2, 0x30, length];
        whole.extend(body);
        whole
    }

    fn dates(from: &str, until: &str) -> Vec<u8> {
        let mut dates = Vec::new();
        for date in [from, until] {
            let tag = if date.len() == 13 { 0x17 } else { 0x18 };
            dates.extend([tag, u8::try_from(date.len()).unwrap()]);
            dates.extend(date.as_bytes());
        }
        dates
    }

    #[test]
    fn dates_are_read_in_both_forms() {
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        let lifetime = Lifetime::of_der(&der(&dates("991231235960Z", "20500102030405Z"))).unwrap();
        assert_eq!(lifetime.from, moment("1999-12-31T23:59:59Z"));
        assert_eq!(lifetime.until, moment("2050-01-02T03:04:05Z"));
        let endless = Lifetime::of_der(&der(&dates("260101000000Z", "99991231235959Z"))).unwrap();
        assert_eq!(endless.until, Timestamp::MAX);
        assert!(endless.near_end() < endless.until);
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        let good = der(&dates("260101000000Z", "270101000000Z"));
        for length in 0..good.len() {
            let mut cut = good[..length].to_vec();
            assert_eq!(Lifetime::of_der(&cut), None, "cut at {length}");
            cut.resize(good.len(), 0xff);
            let _ = Lifetime::of_der(&cut);
        }
        for dates in [
            dates("260101000000Z", "261301000000Z"),
            dates("2601010000+1Z", "270101000000Z"),
        ] {
            assert_eq!(Lifetime::of_der(&der(&dates)), None);
        }
        for bundle in ["", "Cg==", "LS0t", "é", &"A".repeat(LONGEST + 1)] {
            assert_eq!(Lifetime::of_bundle(bundle), None);
        }
    }

    #[test]
    fn the_end_is_near_in_the_last_tenth_and_never_before_two_weeks() {
        let near = |from: &str, until: &str| {
            let lifetime = Lifetime {
                from: from.parse().unwrap(),
                until: until.parse().unwrap(),
            };
            lifetime.near_end().to_string()
        };
        assert_eq!(
            near("2016-01-01T00:00:00Z", "2026-01-15T00:00:00Z"),
            "2026-01-01T00:00:00Z"
        );
        assert_eq!(
            near("2026-01-01T00:00:00Z", "2026-01-11T00:00:00Z"),
            "2026-01-10T00:00:00Z"
        );
        assert_eq!(
            near("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"),
            "2026-01-01T00:00:00Z"
        );
    }
}
