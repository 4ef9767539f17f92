use super::*;

#[test]
fn names_of_credentials_are_known_by_their_words() {
    for name in [
        "DB_PASSWORD",
        "my-token",
        "azureBatchKey",
        "aws_access_key_id",
        "OCI_CLI_KEY_CONTENT",
        "pwd",
        "jwt",
    ] {
        assert!(is_sensitive_name(name), "{name}");
    }
    for name in [
        "KEYBOARD",
        "SOME_TOKEN_PATH",
        "tokenTtl",
        "MONKEY",
        "PRIMARY_KEY",
        "secretName",
        "compassion",
    ] {
        assert!(!is_sensitive_name(name), "{name}");
    }
}

#[test]
fn formats_of_issuers_are_known() {
    let jwt = format!("ey{}.ey{}.{}", "a".repeat(20), "b".repeat(20), "c".repeat(20));
    let private = format!("-----BEGIN {} KEY-----\nabc", "RSA PRIVATE");
    for text in [
        format!("AKIA{}", "ABCD1234".repeat(2)),
        format!("token=ghp_{}", "a1".repeat(18)),
        format!("glpat-{}", "a1".repeat(10)),
        "postgres://shop:hunter2@db:5432/shop".to_owned(),
        format!("datadog_key = \"{}\"", "a1".repeat(20)),
        format!("AIza{}", "aB3-_".repeat(7)),
        format!("LTAI{}", "a1".repeat(10)),
        format!("sk-proj-{0}T3BlbkFJ{0}", "a1".repeat(10)),
        format!("{}JQQJ99{}", "aB3x".repeat(13), "aB3x".repeat(7)),
        format!("client_id=x;abc8Q~{}", "a1.".repeat(11)),
        format!("sv=2023-11-03&se=2024-01-01&sig={}%3D", "aB3".repeat(15)),
        jwt,
        private,
    ] {
        assert!(credential(&text).is_some(), "{text}");
    }
    for text in [
        "registry.example.com/shop/web@sha256:0123456789abcdef0123456789abcdef",
        "https://example.com/a@b",
        "postgres://$(USER):$(PASSWORD)@db:5432/shop",
        "the sumo wrestler: a history of the sport",
        "SKIPPED",
        "https://example.com/q?sig=short&sv=2023-11-03",
    ] {
        assert_eq!(credential(text), None, "{text}");
    }
    for text in [
        format!("AIza{}", "aB3-_".repeat(8)),
        format!("AIza{}", "aB3]_".repeat(7)),
        format!("AKIA{}", "ABCD1234".repeat(3)),
        format!("SK{}", "a1".repeat(20)),
    ] {
        assert_eq!(credential(&text), None, "{text}");
    }
}

#[test]
fn assignments_count_only_with_a_literal() {
    assert_eq!(
        assigned("a=b\nREDIS_PASSWORD=abcd1234").as_deref(),
        Some("REDIS_PASSWORD")
    );
    assert_eq!(assigned("--token=abc").as_deref(), Some("token"));
    for text in [
        "REDIS_PASSWORD=${REDIS_PASSWORD}",
        "password: /run/secret",
        "password:",
        "see the password: it is long",
    ] {
        assert_eq!(assigned(text), None, "{text}");
    }
}
