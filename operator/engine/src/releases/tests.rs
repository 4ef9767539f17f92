//! What the tables say, and for how long.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::*;

fn noon(day: Date) -> Timestamp {
    day.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

#[test]
fn the_tables_can_be_read_and_have_no_gaps() {
    let calendar = kubernetes();
    assert!(calendar.as_of > day("2026-01-01"), "it cannot be read");
    assert!(!calendar.sources.is_empty());
    for pair in calendar.releases.windows(2) {
        assert_eq!((pair[0].major, pair[0].minor + 1), (pair[1].major, pair[1].minor));
        assert!(pair[0].end_of_life < pair[1].end_of_life);
    }
}

#[test]
fn a_table_is_believed_for_180_days() {
    let calendar = kubernetes();
    let after = |days: i32| noon(calendar.as_of.checked_add(days.days()).unwrap());
    assert!(calendar.at(after(0)).is_ok());
    assert!(calendar.at(after(-1)).is_ok(), "a clock that is behind");
    assert!(calendar.at(after(180)).is_ok());
    let gap = calendar.at(after(181)).unwrap_err();
    assert_eq!(gap.reason, "StaleData");
    assert!(gap.message.contains(&calendar.as_of.to_string()), "{}", gap.message);
    // The moment at which that happens is one at which everything is judged again.
    let start = calendar.as_of.checked_add(181.days()).unwrap();
    let start = start.to_zoned(TimeZone::UTC).unwrap().timestamp();
    assert!(endings().any(|ending| ending == start));
}

#[test]
fn the_last_day_is_still_supported() {
    let standing = |minor, on| kubernetes().at(noon(day(on))).unwrap().standing(1, minor);
    assert_eq!(standing(34, "2026-10-27"), Standing::Supported(9));
    assert_eq!(standing(34, "2026-10-28"), Standing::Ended(Some(day("2026-10-27"))));
    assert_eq!(standing(29, "2026-10-28"), Standing::Ended(None));
    assert_eq!(standing(38, "2026-10-28"), Standing::Newer);
}

#[test]
fn a_table_that_cannot_be_read_says_nothing() {
    let gap = Calendar::default().at(noon(day("2026-11-24"))).unwrap_err();
    assert_eq!(gap.reason, "StaleData");
}

#[test]
fn agents_are_known_by_the_names_of_their_images() {
    let agents = log_agents();
    assert!(agents.as_of > day("2026-01-01"), "it cannot be read");
    for (image, expected) in [
        ("cr.fluentbit.io/fluent/fluent-bit:4.2.0", Some("Fluent Bit")),
        ("registry.example.com:5000/mirror/vector@sha256:00", Some("Vector")),
        ("gcr.io/datadoghq/agent:7", Some("Datadog")),
        ("registry.example.com/agent:7", None),
        ("registry.example.com/my-fluent-bit-exporter", None),
        ("", None),
    ] {
        assert_eq!(agents.of_image(image), expected, "{image}");
    }
}

#[test]
fn containerd_has_its_releases_in_order() {
    let calendar = containerd();
    assert!(calendar.as_of > day("2026-01-01"), "it cannot be read");
    assert!(
        calendar
            .releases
            .is_sorted_by_key(|release| (release.major, release.minor))
    );
    let standing = |major, minor| calendar.at(noon(day("2026-09-01"))).unwrap().standing(major, minor);
    assert_eq!(standing(1, 5), Standing::Ended(None));
    assert_eq!(standing(2, 1), Standing::Ended(Some(day("2026-07-03"))));
    assert_eq!(standing(2, 3), Standing::Supported(1));
    assert_eq!(standing(2, 4), Standing::Newer);
}

#[test]
fn systems_are_known_by_how_nodes_call_them() {
    let standing = |image| systems().standing(image, noon(day("2026-11-24"))).unwrap();
    assert!(systems().as_of > day("2026-01-01"), "it cannot be read");
    for (image, expected) in [
        ("Ubuntu 24.04.1 LTS", SystemStanding::Supported),
        (
            "Ubuntu 20.04.6 LTS",
            SystemStanding::Extended(day("2025-05-31"), day("2030-04-02")),
        ),
        ("Ubuntu 16.04.7 LTS", SystemStanding::Ended(day("2026-04-02"))),
        ("Ubuntu 99.04", SystemStanding::UnknownRelease),
        ("Ubuntuish 24.04", SystemStanding::UnknownSystem),
        ("Debian GNU/Linux 12 (bookworm)", SystemStanding::Supported),
        ("Debian GNU/Linux trixie/sid", SystemStanding::UnknownRelease),
        ("Red Hat Enterprise Linux 9.4 (Plow)", SystemStanding::Supported),
        (
            "Red Hat Enterprise Linux CoreOS 419.96.2026",
            SystemStanding::UnknownRelease,
        ),
        ("Amazon Linux 2", SystemStanding::Ended(day("2026-06-30"))),
        ("Amazon Linux 2023.9.20251105", SystemStanding::Supported),
        ("SUSE Linux Enterprise Server 15 SP7", SystemStanding::Supported),
        (
            "SUSE Linux Enterprise Server 15 SP4",
            SystemStanding::Extended(day("2023-12-31"), day("2026-12-31")),
        ),
        ("Alpine Linux v3.23", SystemStanding::Supported),
        ("Windows Server 2022 Datacenter", SystemStanding::Supported),
        ("Talos (v1.12.1)", SystemStanding::UnknownRelease),
        ("", SystemStanding::UnknownSystem),
        ("🦀", SystemStanding::UnknownSystem),
    ] {
        assert_eq!(standing(image), expected, "{image}");
    }
    let late = systems().as_of.checked_add(181.days()).unwrap();
    assert_eq!(
        systems().standing("Ubuntu 24.04", noon(late)).unwrap_err().reason,
        "StaleData"
    );
    for release in systems().systems.values().flatten() {
        assert!(
            release.extended.is_none_or(|extended| extended > release.end_of_life),
            "{release:?}"
        );
    }
}

#[test]
fn what_has_ended_is_known_by_its_images() {
    let name = |image| retired().of_image(image).map(|program| program.name.as_str());
    for (image, expected) in [
        (
            "registry.k8s.io/ingress-nginx/controller:v1.13.3",
            Some("Ingress NGINX"),
        ),
        (
            "registry.example.com:5000/mirror/kubernetesui/dashboard-api:1.14.0",
            Some("Kubernetes Dashboard"),
        ),
        ("kubernetesui/dashboard", Some("Kubernetes Dashboard")),
        ("ghcr.io/helm/tiller:v2.17.0", Some("Tiller (Helm 2)")),
        ("registry.example.com/shop/dashboard:1", None),
        ("registry.example.com/other-ingress-nginx/controller", None),
        ("nginx/nginx-ingress:5", None),
        ("", None),
    ] {
        assert_eq!(name(image), expected, "{image}");
    }
    for program in &retired().programs {
        assert!(
            !program.sources.is_empty() && program.retired <= retired().as_of,
            "{}",
            program.name
        );
    }
}
