//! Entries of an EncryptionConfiguration.

use serde_json::Value;

/// Whether an entry of `resources` is about Secrets, by name or by wildcard.
pub fn covers_secrets(entry: &Value) -> bool {
    let names = entry["resources"].as_array().into_iter().flatten();
    names
        .filter_map(Value::as_str)
        .any(|name| ["secrets", "secrets.", "*.", "*.*"].contains(&name))
}

/// The providers of an entry in their order: index, name, settings.
pub fn providers(entry: &Value) -> impl Iterator<Item = (usize, &str, &Value)> {
    let all = entry["providers"].as_array().into_iter().flatten().enumerate();
    all.filter_map(|(index, provider)| {
        let (name, settings) = provider.as_object()?.iter().next()?;
        Some((index, name.as_str(), settings))
    })
}
