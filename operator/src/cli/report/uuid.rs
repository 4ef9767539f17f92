//! Version 5 UUIDs (RFC 9562, 5.5): the same for the same name.

use sha1_smol::Sha1;

/// The namespace of URLs (RFC 9562, 6.6).
const URL: u128 = 0x6ba7_b811_9dad_11d1_80b4_00c0_4fd4_30c8;

/// The UUID of a name within the namespace that a URL names.
pub(super) fn of_url(url: &str, name: &str) -> String {
    text_of(version_5(version_5(URL, url), name))
}

fn version_5(namespace: u128, name: &str) -> u128 {
    let mut digest = Sha1::from(namespace.to_be_bytes());
    digest.update(name.as_bytes());
    let bytes = digest.digest().bytes();
    let first = bytes.iter().take(16);
    let bits = first.fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
    // Version and variant take the place of six bits.
    (bits & !(0xf << 76) & !(0b11 << 62)) | (5 << 76) | (0b10 << 62)
}

fn text_of(uuid: u128) -> String {
    let digits = format!("{uuid:032x}");
    [0..8, 8..12, 12..16, 16..20, 20..32]
        .map(|group| &digits[group])
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_those_of_the_specification() {
        // RFC 9562, A.4: the name www.example.com in the namespace of DNS.
        let dns = 0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8;
        let example = text_of(version_5(dns, "www.example.com"));
        assert_eq!(example, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    }
}
