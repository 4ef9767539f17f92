//! What a container wrote over its image, as its kubelet measured it: what that makes of the repair that forbids writing there.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironside_engine::controls::Risk;
use ironside_engine::model::layer::{Layer, Layers, Measured, Usage};
use ironside_engine::model::{Kind, ObjectRef};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::shop::Shop;

/// A layer that holds what the runtime makes for a container without mounts but its token, measured on a real node: ten folders, three empty files.
const UNTOUCHED: Usage = Usage {
    bytes: 40_960,
    inodes: 13,
};
const STARTED: &str = "2026-01-02T03:04:05Z";

fn shop(pods: &[&str]) -> Shop {
    pods.iter().fold(Shop::new(&json!({})), |shop, pod| {
        let status = json!([{"name": "web", "state": {"running": {"startedAt": STARTED}}}]);
        shop.changed_pod(pod, 10001, "/status/containerStatuses", status)
    })
}

fn layer(first: Usage, last: Usage, hours: i64) -> Measured {
    let since: Timestamp = STARTED.parse().expect("a time");
    let at = since + SignedDuration::from_hours(hours);
    let layer = Layer { since, at, first, last };
    Measured::Layers(BTreeMap::from([("web".into(), layer)]))
}

fn layers(measured: &[(&str, Measured)]) -> Layers {
    let pods = measured.iter().map(|(pod, measured)| {
        let reference = ObjectRef::new(Kind::Pod, "shop", pod);
        (format!("pod-{pod}").into(), (reference, measured.clone()))
    });
    Layers {
        asked: true,
        pods: pods.collect(),
    }
}

fn risk(shop: Shop, layers: Layers) -> (Risk, String) {
    let (risk, reasons) = shop.with_layers(layers).risk("POD-012", &[]);
    (risk, reasons.join("; "))
}

const WEEK: i64 = 168;

#[test]
fn without_kubelets_the_risk_is_what_it_was() {
    let (risk, reasons) = shop(&["a"]).risk("POD-012", &[]);
    assert_eq!(risk, Risk::Medium);
    assert_eq!(
        reasons,
        ["container web gets an error where it writes outside its volumes and /tmp"]
    );
}

#[test]
fn what_wrote_nothing_for_a_week_in_every_pod_is_low() {
    let quiet = layer(UNTOUCHED, UNTOUCHED, WEEK);
    let all = layers(&[("a", quiet.clone()), ("b", quiet)]);
    assert_eq!(risk(shop(&["a", "b"]), all), (Risk::Low, String::new()));
}

#[test]
fn story_17_a_file_over_the_image_is_high_however_long_ago() {
    let one_file = Usage {
        bytes: UNTOUCHED.bytes + 4096,
        inodes: UNTOUCHED.inodes + 1,
    };
    for written in [
        layer(one_file, one_file, WEEK),
        layer(one_file, one_file, 0),
        layer(
            UNTOUCHED,
            Usage {
                inodes: 14,
                ..UNTOUCHED
            },
            1,
        ),
        // The image has the mount points already, and still it grew while we looked.
        layer(Usage { bytes: 4096, inodes: 1 }, Usage { bytes: 8192, inodes: 2 }, 1),
        // One large file in place of a folder.
        layer(
            UNTOUCHED,
            Usage {
                bytes: 1 << 30,
                inodes: 13,
            },
            WEEK,
        ),
    ] {
        let all = layers(&[("a", layer(UNTOUCHED, UNTOUCHED, WEEK)), ("b", written)]);
        let (risk, reason) = risk(shop(&["a", "b"]), all);
        assert_eq!(risk, Risk::High);
        assert!(reason.contains("writes over its image (pod b)"), "{reason}");
    }
}

#[test]
fn what_proves_too_little_stays_medium_and_says_what_is_missing() {
    let quiet = layer(UNTOUCHED, UNTOUCHED, WEEK);
    let room = Usage {
        inodes: UNTOUCHED.inodes - 1,
        ..UNTOUCHED
    };
    let cases = [
        (layers(&[("a", quiet.clone())]), &["a"][..], "one start only"),
        (layers(&[("a", quiet.clone())]), &["a", "b"], "not every pod"),
        (
            layers(&[("a", quiet.clone()), ("b", layer(UNTOUCHED, UNTOUCHED, WEEK - 1))]),
            &["a", "b"],
            "168h",
        ),
        (
            layers(&[("a", quiet), ("b", layer(room, room, WEEK))]),
            &["a", "b"],
            "not told apart",
        ),
        (
            layers(&[("a", Measured::Unknown("certificate expired".into()))]),
            &["a"],
            "not known: certificate expired",
        ),
    ];
    for (layers, pods, says) in cases {
        let (risk, reason) = risk(shop(pods), layers);
        assert_eq!(risk, Risk::Medium, "{reason}");
        assert!(reason.contains(says), "{reason} does not say {says}");
    }
}

#[test]
fn what_was_not_asked_yet_is_not_taken_for_quiet() {
    let (not_yet, reason) = risk(shop(&["a"]), layers(&[]));
    assert_eq!(not_yet, Risk::High);
    assert!(reason.contains("not been asked yet"), "{reason}");

    // Measured, and started again since: the new layer was not measured.
    let stale = layer(UNTOUCHED, UNTOUCHED, -1);
    assert_eq!(risk(shop(&["a"]), layers(&[("a", stale)])).0, Risk::High);
}

#[test]
fn a_restart_counts_as_a_start() {
    let status = json!([{"name": "web", "restartCount": 1, "state": {"running": {"startedAt": STARTED}}}]);
    let shop = Shop::new(&json!({})).changed_pod("a", 10001, "/status/containerStatuses", status);
    let quiet = layers(&[("a", layer(UNTOUCHED, UNTOUCHED, WEEK))]);
    assert_eq!(risk(shop, quiet), (Risk::Low, String::new()));
}

#[test]
fn the_longest_time_that_a_policy_asks_for_counts() {
    let quiet = || layer(UNTOUCHED, UNTOUCHED, 2);
    let all = || layers(&[("a", quiet()), ("b", quiet())]);
    let shop = |quiet_for: &[&str]| {
        let mut shop = shop(&["a", "b"]);
        let asked = quiet_for.iter().map(|text| (*text).to_owned()).collect();
        shop.parameters.0.insert("quietFor".to_owned(), asked);
        shop
    };
    assert_eq!(risk(shop(&["1h"]), all()).0, Risk::Low);
    assert_eq!(risk(shop(&["1h", "3h"]), all()).0, Risk::Medium);
    let accepts = crate::shop::control("POD-012").parameters[1].accepts;
    assert_eq!(accepts("1h30m"), Ok(()));
    assert!(accepts("a week").is_err_and(|refusal| refusal.contains("168h")));
}

#[test]
fn mounts_are_places_that_the_runtime_makes() {
    let mut shop = shop(&["a", "b"]);
    shop.template()["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
    shop.template()["containers"][0]["volumeMounts"] = json!([
        {"name": "data", "mountPath": "/var/cache/web/"}, {"name": "data", "mountPath": "/srv"}]);
    // /var/cache, /var/cache/web, /srv; /var is made for the token.
    let usage = Usage {
        bytes: UNTOUCHED.bytes + 3 * 4096,
        inodes: UNTOUCHED.inodes + 3,
    };
    let quiet = layer(usage, usage, WEEK);
    let all = layers(&[("a", quiet.clone()), ("b", quiet)]);
    assert_eq!(risk(shop, all), (Risk::Low, String::new()));
}

#[test]
fn only_news_makes_a_workload_dirty() {
    let mut world = shop(&["a", "b"]).live_world();
    world.drain();
    let mut dirty = |measured: &[(&str, Measured)]| {
        world.set_layers(&Arc::new(layers(measured)));
        world.drain().1
    };
    let web = ObjectRef::new(Kind::Deployment, "shop", "web");
    assert!(
        dirty(&[("a", layer(UNTOUCHED, UNTOUCHED, 5))]).contains(&web),
        "first measured"
    );
    assert!(
        dirty(&[("a", layer(UNTOUCHED, UNTOUCHED, 5))]).is_empty(),
        "nothing new"
    );
    assert!(
        dirty(&[("a", layer(UNTOUCHED, UNTOUCHED, 6))]).contains(&web),
        "an hour older"
    );
    let grown = Usage {
        inodes: 14,
        ..UNTOUCHED
    };
    assert!(dirty(&[("a", layer(UNTOUCHED, grown, 6))]).contains(&web), "it grew");
    assert!(
        dirty(&[("a", Measured::Unknown("gone".into()))]).contains(&web),
        "nobody answers"
    );
    assert!(dirty(&[]).is_empty(), "forgotten: its pod is gone");
}
