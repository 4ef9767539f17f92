//! Image references: whether a restart may bring another image than the one that runs.

/// Whether the reference may mean another image tomorrow: no digest, and no tag that names one release.
///
/// A full version (`1.27.3`, `v0.10.2-rc1`), a date or build number of eight digits, and a commit id are taken as one release, by the habit of
/// publishers; `latest`, `stable`, `1`, `1.27` and no tag move. Nothing but a digest is proof.
pub(super) fn is_mutable(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    // A colon before the last slash belongs to the registry's port.
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once(':') {
        None => true,
        Some((_, tag)) => !names_one_release(tag),
    }
}

fn names_one_release(tag: &str) -> bool {
    tag.split(['-', '_', '+'])
        .any(|part| is_full_version(part) || is_build(part))
        || is_date(tag)
}

/// Three numbers with dots, with or without `v`, and whatever follows them.
fn is_full_version(part: &str) -> bool {
    let numbers = part.trim_start_matches(['v', 'V']);
    let mut steps = numbers.split('.');
    let leading = |step: Option<&str>| step.is_some_and(|step| step.starts_with(|c: char| c.is_ascii_digit()));
    leading(steps.next()) && leading(steps.next()) && leading(steps.next())
}

/// A commit id (at least seven hexadecimal digits, one of them a digit) or a number of at least eight digits.
fn is_build(part: &str) -> bool {
    let part = part.strip_prefix("sha").unwrap_or(part);
    part.len() >= 7
        && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        && part.bytes().any(|byte| byte.is_ascii_digit())
        && (part.len() >= 8 || part.bytes().any(|byte| byte.is_ascii_alphabetic()))
}

fn is_date(tag: &str) -> bool {
    let numbers: Vec<&str> = tag.split(['-', '.', '_', 'T']).collect();
    numbers.windows(3).any(|date| {
        matches!(date, [y, m, d] if y.len() == 4 && m.len() == 2 && d.len() == 2)
            && date.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// The digest in a container's `imageID`, or the id itself where the runtime gives no digest; `None` where it is empty.
pub(super) fn digest(image_id: &str) -> Option<&str> {
    let digest = image_id.rsplit_once('@').map_or(image_id, |(_, digest)| digest);
    (!digest.is_empty()).then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_release() {
        for image in [
            "web@sha256:0123456789abcdef",
            "registry:5000/team/web:1.27.3",
            "web:v0.10.2",
            "web:1.27.3-alpine",
            "web:alpine-3.20.1",
            "web:2024-11-05",
            "web:20241105",
            "web:main-4f2a9c1",
            "web:sha-4f2a9c1d",
            "web:1.2.3-rc.1+build5",
            "web:RELEASE.2024-11-05T10-00-00Z",
        ] {
            assert!(!is_mutable(image), "{image}");
        }
    }

    #[test]
    fn moving() {
        for image in [
            "web",
            "registry:5000/team/web",
            "web:latest",
            "web:stable",
            "web:1",
            "web:v1",
            "web:1.27",
            "web:1.27-alpine",
            "web:main",
            "web:nightly",
            "web:",
            "web:feature",
            "web:2024",
        ] {
            assert!(is_mutable(image), "{image}");
        }
    }

    #[test]
    fn digests() {
        assert_eq!(digest("docker.io/library/web@sha256:aa"), Some("sha256:aa"));
        assert_eq!(digest("sha256:aa"), Some("sha256:aa"));
        assert_eq!(digest(""), None);
    }
}
