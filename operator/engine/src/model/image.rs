//! References to images.
//!
//! Source: the distribution project's reference grammar, and Docker's rule for names without a registry.

/// A reference to an image, in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// Host of the registry; `docker.io` where none is written.
    pub registry: &'a str,
    /// Path below the registry, as written.
    pub repository: &'a str,
    /// Tag.
    pub tag: Option<&'a str>,
    /// Digest, such as `sha256:…`.
    pub digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    /// Takes a reference apart. What does not follow the grammar is taken apart all the same.
    pub fn parse(text: &'a str) -> Self {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (name, None),
        };
        let (registry, repository) = match name.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
            _ => ("docker.io", name),
        };
        Self {
            registry,
            repository,
            tag,
            digest: digest.filter(|digest| is_digest(digest)),
        }
    }

    /// Whether the repository ends in these parts: `grafana/agent` is at the end of `mirror/grafana/agent`, `agent` of both, `nt` of none.
    pub fn ends_in(&self, parts: &str) -> bool {
        let before = self.repository.strip_suffix(parts);
        before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
    }

    /// Whether no tag or `latest` is written, which stands for whatever was pushed last.
    pub fn floats(&self) -> bool {
        self.digest.is_none() && self.tag.is_none_or(|tag| tag.is_empty() || tag == "latest")
    }
}

/// Whether a digest is one: an algorithm and as many lower-case hexadecimal digits as it gives (OCI image specification, descriptors).
fn is_digest(text: &str) -> bool {
    let Some((algorithm, digits)) = text.split_once(':') else {
        return false;
    };
    let length = match algorithm {
        "sha256" | "blake3" => digits.len() == 64,
        "sha384" => digits.len() == 96,
        "sha512" => digits.len() == 128,
        _ => digits.len() >= 32,
    };
    length && digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        let parts = |text| {
            let image = Image::parse(text);
            (image.registry, image.repository, image.tag, image.digest)
        };
        assert_eq!(parts("nginx"), ("docker.io", "nginx", None, None));
        assert_eq!(parts("shop/web:1.2"), ("docker.io", "shop/web", Some("1.2"), None));
        assert_eq!(parts("localhost:5000/web"), ("localhost:5000", "web", None, None));
        let digest = format!("sha256:{}", "ab".repeat(32));
        let pinned = format!("registry.example.com/shop/web:1.2@{digest}");
        assert_eq!(Image::parse(&pinned).digest, Some(digest.as_str()));
        assert_eq!(
            parts("web:1.2@sha256:ab"),
            ("docker.io", "web", Some("1.2"), None),
            "too short"
        );
        assert!(Image::parse("registry.example.com:5000/shop/web").floats());
        assert!(!Image::parse(&pinned).floats());
    }
}
