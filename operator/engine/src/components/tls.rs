//! Protocols and ciphers, which every component of Kubernetes takes by the same flags and fields.

use super::Asking;

/// Oldest protocol that passes, and the newer one whose suites cannot be chosen.
const GOOD_VERSIONS: [&str; 2] = ["VersionTLS12", TLS13];
const TLS13: &str = "VersionTLS13";

/// Whether a protocol version is good.
pub fn is_good_version(version: &str) -> bool {
    GOOD_VERSIONS.contains(&version)
}

/// Whether suites need not be listed: TLS 1.3 has good ones only, and cannot be told which.
pub fn has_good_suites(version: &str) -> bool {
    version == TLS13
}

/// Whether a suite has forward secrecy and a cipher that is not broken: the list of the CIS Kubernetes Benchmark.
pub fn is_strong(suite: &str) -> bool {
    const OF_TLS13: [&str; 3] = [
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
    ];
    const CIPHERS: [&str; 6] = [
        "AES_128_GCM_SHA256",
        "AES_256_GCM_SHA384",
        "CHACHA20_POLY1305",
        "CHACHA20_POLY1305_SHA256",
        "AES_128_CBC_SHA",
        "AES_256_CBC_SHA",
    ];
    let ephemeral = ["TLS_ECDHE_ECDSA_WITH_", "TLS_ECDHE_RSA_WITH_"];
    let cipher = ephemeral.iter().find_map(|prefix| suite.strip_prefix(prefix));
    OF_TLS13.contains(&suite) || cipher.is_some_and(|cipher| CIPHERS.contains(&cipher))
}

/// Asks a process for its protocol and its ciphers.
pub fn tls(ask: &mut Asking<'_, '_>) {
    let process = ask.process();
    let version = process.value("tls-min-version").unwrap_or("VersionTLS12");
    ask.expect(
        "tls-min-version",
        is_good_version(version),
        "--tls-min-version=VersionTLS12 or newer",
    );
    let listed = process.value("tls-cipher-suites").is_some();
    let strong = process.items("tls-cipher-suites").all(is_strong);
    let good = has_good_suites(version) || (listed && strong);
    let expected = "--tls-cipher-suites with ECDHE and AES-GCM or ChaCha20 only";
    ask.expect("tls-cipher-suites", good, expected);
}
