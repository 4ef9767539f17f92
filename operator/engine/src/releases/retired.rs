//! Programs whose projects have ended.

use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;

use crate::model::image::Image;

/// Programs that nobody mends any more, as they were known on a day. What has ended stays so: an old table misses some, and is not wrong about the others.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retired {
    /// The day on which it was true.
    pub as_of: Date,
    /// The programs.
    pub programs: Vec<Program>,
}

/// One program.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Program {
    /// Its name.
    pub name: String,
    /// The day on which it ended.
    pub retired: Date,
    /// How the repositories of its images end.
    pub images: Vec<String>,
    /// What to use.
    pub instead: String,
    /// Where it says so.
    pub sources: Vec<String>,
}

/// The programs that are known to have ended.
pub fn retired() -> &'static Retired {
    static RETIRED: LazyLock<Retired> =
        LazyLock::new(|| serde_json::from_str(include_str!("retired.json")).unwrap_or_default());
    &RETIRED
}

impl Retired {
    /// The program whose image this is.
    pub fn of_image(&self, reference: &str) -> Option<&Program> {
        let image = Image::parse(reference);
        let is_it = |parts: &String| image.ends_in(parts);
        self.programs.iter().find(|program| program.images.iter().any(is_it))
    }
}
