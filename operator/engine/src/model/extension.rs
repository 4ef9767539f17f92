//! What extends the API server, as far as it is judged: webhooks, aggregated APIs, kinds that are defined by custom resource definitions.

use super::certificate::Lifetime;

/// What one such object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extension {
    /// By which certificates the API server knows what it calls.
    pub bundles: Box<[Bundle]>,
    /// Whether an aggregated API is served; `None` where nobody said so yet, and of other kinds.
    pub available: Option<bool>,
    /// Whether the API server trusts whoever answers for an aggregated API (`insecureSkipTLSVerify`).
    pub unverified: bool,
    /// Admission webhooks of which something is judged.
    pub hooks: Box<[Hook]>,
    /// Versions of a custom resource definition that objects may be stored in and that are not served.
    pub unserved: Box<[Box<str>]>,
}

/// How one admission webhook is called, as far as it is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// JSON pointer of the webhook.
    pub pointer: String,
    /// The URL, where it is called by one and not as a Service.
    pub url: Option<Box<str>>,
    /// Whether requests are let in that it could not be asked about (`failurePolicy: Ignore`).
    pub fails_open: bool,
    /// JSON pointer within the webhook of a rule that sends it every kind of object.
    pub everything: Option<Box<str>>,
}

/// A `caBundle`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// JSON pointer of the field.
    pub pointer: String,
    /// How long the longest of its certificates is valid; `None` where none can be read.
    pub lifetime: Option<Lifetime>,
}

impl Bundle {
    /// The bundle of a field that is given.
    pub(crate) fn of(pointer: String, text: Option<&str>) -> Option<Self> {
        let text = text.filter(|text| !text.is_empty())?;
        Some(Self {
            pointer,
            lifetime: Lifetime::of_bundle(text),
        })
    }
}
