//! Whether a template is built as templates are. A file can hold a list where a mapping belongs; the views read over that, a patch could not be applied to it.

use serde_json::Value;

/// The first part that no patch could be applied to, as a sentence's beginning.
pub(super) fn misshapen(template: &Value) -> Option<String> {
    let mapping = |value: &Value| value.is_object() || value.is_null();
    let list = |value: &Value| value.is_array() || value.is_null();
    let spec = &template["spec"];
    let mut parts: Vec<(String, bool)> = [
        ("metadata", &template["metadata"]),
        ("metadata.annotations", &template["metadata"]["annotations"]),
        ("spec", spec),
        ("spec.securityContext", &spec["securityContext"]),
    ]
    .map(|(name, value)| (name.to_owned(), mapping(value)))
    .into();
    for field in ["containers", "initContainers", "volumes"] {
        parts.push((format!("spec.{field}"), list(&spec[field])));
        for (index, item) in spec[field].as_array().into_iter().flatten().enumerate() {
            let at = format!("spec.{field}[{index}]");
            let context = &item["securityContext"];
            parts.extend([
                (format!("{at}.volumeMounts"), list(&item["volumeMounts"])),
                (format!("{at}.securityContext"), mapping(context)),
                (
                    format!("{at}.securityContext.capabilities"),
                    mapping(&context["capabilities"]),
                ),
                (
                    format!("{at}.securityContext.seccompProfile"),
                    mapping(&context["seccompProfile"]),
                ),
                (at, item.is_object()),
            ]);
        }
    }
    let (name, _) = parts.into_iter().find(|(_, is_sound)| !is_sound)?;
    Some(format!(
        "its {name} is not what it must be, which no API server accepts"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_where_a_mapping_belongs_is_named() {
        let with = |container: Value| json!({"metadata": null, "spec": {"containers": [container]}});
        assert_eq!(misshapen(&with(json!({"name": "a", "securityContext": null}))), None);
        for (container, named) in [
            (json!("a"), "spec.containers[0] "),
            (json!({"securityContext": []}), "spec.containers[0].securityContext "),
            (
                json!({"securityContext": {"capabilities": []}}),
                "spec.containers[0].securityContext.capabilities ",
            ),
            (json!({"volumeMounts": {}}), "spec.containers[0].volumeMounts "),
        ] {
            let why = misshapen(&with(container)).unwrap();
            assert!(why.contains(named), "{why}");
        }
        assert!(misshapen(&json!({"spec": {"securityContext": []}})).is_some());
    }
}
