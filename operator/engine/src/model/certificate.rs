//! How long the certificates of a CA bundle are valid: the two dates of each, and nothing else of it. Nothing is verified.

use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::Timestamp;
use x509_parser::pem::Pem;
use x509_parser::time::ASN1Time;

/// Longest bundle that is read, in bytes of base64; the certificates of all public authorities have some 300 KiB.
const LONGEST: usize = 1 << 20;

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
        // Go's decoder, and so the API server, passes over line ends.
        let bundle: Vec<u8> = bundle.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let text = BASE64_STANDARD.decode(bundle).ok()?;
        Pem::iter_from_buffer(&text)
            .filter_map(|block| Self::of_block(&block.ok()?))
            .max_by_key(|lifetime| lifetime.until)
    }

    /// Of a block of PEM that is a certificate.
    fn of_block(block: &Pem) -> Option<Self> {
        if block.label != "CERTIFICATE" {
            return None;
        }
        let certificate = block.parse_x509().ok()?;
        let validity = certificate.validity();
        Some(Self {
            from: moment(validity.not_before),
            until: moment(validity.not_after),
        })
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

/// Of a certificate that never ends the date is 9999-12-31, which is later than any moment here.
fn moment(time: ASN1Time) -> Timestamp {
    Timestamp::from_second(time.timestamp()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Date = (i32, u8, u8);

    /// A certificate of an authority in PEM, valid from one date until another.
    fn certificate((from, until): (Date, Date)) -> String {
        let date = |(year, month, day)| rcgen::date_time_ymd(year, month, day);
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        (params.not_before, params.not_after) = (date(from), date(until));
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    fn bundle(text: &str) -> String {
        BASE64_STANDARD.encode(text)
    }

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn dates_are_read_in_both_forms() {
        // Dates before 2050 are UTCTime, later ones GeneralizedTime (RFC 5280, 4.1.2.5).
        let text = certificate(((1999, 12, 31), (2050, 1, 2)));
        let lifetime = Lifetime::of_bundle(&bundle(&text)).unwrap();
        assert_eq!(lifetime.from, moment("1999-12-31T00:00:00Z"));
        assert_eq!(lifetime.until, moment("2050-01-02T00:00:00Z"));
        let endless = certificate(((2026, 1, 1), (9999, 12, 31)));
        let endless = Lifetime::of_bundle(&bundle(&endless)).unwrap();
        assert_eq!(endless.until, Timestamp::MAX);
        assert!(endless.near_end() < endless.until);
    }

    #[test]
    fn the_one_of_a_bundle_that_is_valid_longest_counts_whatever_lies_between() {
        let short = certificate(((2026, 1, 1), (2027, 1, 1)));
        let long = certificate(((2026, 1, 1), (2036, 1, 1)));
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let text = format!("# comment\n{key}{short}{broken}{long}-----BEGIN CERTIFICATE-----\nAA");
        let lifetime = Lifetime::of_bundle(&bundle(&text)).unwrap();
        assert_eq!(lifetime.until, moment("2036-01-01T00:00:00Z"));
        let mut folded = bundle(&text);
        folded.insert_str(76, "\r\n");
        assert_eq!(Lifetime::of_bundle(&folded), Some(lifetime));
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        let good = certificate(((2026, 1, 1), (2027, 1, 1)));
        let end = good.find("-----END").unwrap();
        for length in 0..end {
            assert_eq!(Lifetime::of_bundle(&bundle(&good[..length])), None, "cut at {length}");
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
